import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger, type BeforeApplicationShutdown } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
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

/** How long whoever asks is kept waiting. A refresh may take longer: it goes on, and whoever comes back finds what it gave. */
const PATIENCE_MILLIS = 5_000;
const FIRST_PAUSE_MILLIS = 20;
const LONGEST_PAUSE_MILLIS = 200;

/**
 * Access tokens of people's accounts: kept ones until shortly before they expire, then one refresh for everybody who waits. Upstream
 * is left alone while it is away.
 */
@Injectable()
export class UpstreamTokens implements BeforeApplicationShutdown {
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
    const key = `${connection.id} ${sharers}`;
    const flight = this.#flights.join(key, () => this.#witnessed(provider, connection, scopes));
    const over = new AbortController();
    const late = pause(PATIENCE_MILLIS, undefined, { signal: over.signal }).then(() =>
      this.#tooLong(provider, connection),
    );
    // Nobody hears of the pause that is broken off.
    late.catch(() => {});
    return Promise.race([flight, late]).finally(() => over.abort());
  }

  /** What upstream gives under way would be lost with the process, and the connection with it. */
  beforeApplicationShutdown(): Promise<void> {
    return this.#flights.ended();
  }

  /** What fails after everybody has left is told to the operator alone. */
  #witnessed(
    provider: Provider,
    connection: Connection,
    scopes: readonly string[],
  ): Promise<UpstreamAccess | undefined> {
    const begun = performance.now();
    return this.#obtain(provider, connection, scopes).catch((error: unknown) => {
      if (performance.now() - begun > PATIENCE_MILLIS && !(error instanceof OAuthError)) {
        const about = { provider: provider.slug, connection: connection.id, error: String(error) };
        this.#log.warn({ message: 'a refresh failed late', ...about });
      }
      throw error;
    });
  }

  async #obtain(
    provider: Provider,
    connection: Connection,
    scopes: readonly string[],
  ): Promise<UpstreamAccess | undefined> {
    const deadline = performance.now() + PATIENCE_MILLIS;
    for (let wait = FIRST_PAUSE_MILLIS; ; wait = Math.min(wait * 2, LONGEST_PAUSE_MILLIS)) {
      const turn = await this.#slots.run(provider.id, () => this.refresh.attempt(provider, connection.id, scopes));
      if (turn) return turn.access;
      if (performance.now() > deadline) this.#tooLong(provider, connection);
      await pause(wait);
    }
  }

  #tooLong({ slug: provider }: Provider, { id: connection }: Connection): never {
    this.#log.warn({ message: 'upstream token not vended', reason: 'waited_too_long', provider, connection });
    throw retryLater();
  }
}
