import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { AccessTokenCache } from './access-token-cache.js';
import type { Connection } from './connection.js';
import { CredentialRefresh } from './credential-refresh.js';
import type { Provider } from './provider.js';
import { RefreshSlots, slotsFor } from '../platform/refresh-slots.js';
import { SingleFlight } from '../platform/single-flight.js';
import type { UpstreamAccess } from './upstream-access.js';
import { retryLater } from './upstream-trouble.js';

/** Longer than one refresh may take: whoever waits for somebody else's has it then, or is told to come back. */
const PATIENCE_MILLIS = 7_000;
const FIRST_PAUSE_MILLIS = 20;
const LONGEST_PAUSE_MILLIS = 200;

/**
 * Access tokens of people's accounts: kept ones until shortly before they expire, then one refresh for everybody who waits. Upstream
 * is left alone while it is away.
 */
@Injectable()
export class UpstreamTokens {
  readonly #log = new Logger(UpstreamTokens.name);
  readonly #flights = new SingleFlight<UpstreamAccess | undefined>();
  readonly #slots: RefreshSlots;

  constructor(
    private readonly cache: AccessTokenCache,
    private readonly refresh: CredentialRefresh,
    private readonly clock: Clock,
    config: Config,
  ) {
    this.#slots = new RefreshSlots(slotsFor(config.storage.postgres.maxConns));
  }

  /**
   * @param connection as it was when it was decided on
   * @param scopes upstream's words
   * @returns undefined when the connection is not active any more
   * @throws OAuthError `try-again` when upstream does not give one now; the connection stays
   */
  async of(provider: Provider, connection: Connection, scopes: readonly string[]): Promise<UpstreamAccess | undefined> {
    const kept = await this.cache.read(provider, connection, scopes);
    if (kept) return kept;
    if (connection.retryAt && connection.retryAt > this.clock.now())
      throw retryLater(connection.retryAt, this.clock.now());
    // Where upstream narrows, a token is good for those who asked for the same.
    const sharers = this.cache.narrows(provider) ? scopes.toSorted().join(' ') : '';
    return this.#flights.join(`${connection.id} ${sharers}`, () => this.#obtain(provider, connection, scopes));
  }

  async #obtain(
    provider: Provider,
    { id }: Connection,
    scopes: readonly string[],
  ): Promise<UpstreamAccess | undefined> {
    const deadline = performance.now() + PATIENCE_MILLIS;
    for (let wait = FIRST_PAUSE_MILLIS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MILLIS)) {
      const turn = await this.#slots.run(provider.id, () => this.refresh.attempt(provider, id, scopes));
      if (turn) return turn.access;
      if (performance.now() > deadline) {
        const about = { provider: provider.slug, connection: id };
        this.#log.warn({ message: 'upstream token not vended', reason: 'waited_too_long', ...about });
        throw retryLater();
      }
      await pause(wait);
    }
  }
}
