import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Users } from '../accounts/users.js';
import { Clock } from '../platform/clock/clock.js';
import { Connectors } from './connectors/connectors.js';
import type { Provider } from './provider.js';
import { SingleFlight } from './single-flight.js';
import type { UpstreamAccess } from './upstream-access.js';
import { UpstreamMisconfigured, UpstreamRefused } from './upstream-errors.js';

const MARGIN_MS = 60_000;
const MAX_KEPT = 1_000;

/** Access tokens by the operator's own credential: nobody connects, and nothing rotates. They are kept in memory only. */
@Injectable()
export class OperatorTokens {
  readonly #flights = new SingleFlight<UpstreamAccess>();
  readonly #kept = new LRUCache<string, UpstreamAccess>({ max: MAX_KEPT });

  constructor(
    private readonly connectors: Connectors,
    private readonly users: Users,
    private readonly clock: Clock,
  ) {}

  /**
   * @param userId the person behind the agent, for a provider whose tokens speak for people
   * @throws UpstreamAway, UpstreamMisconfigured
   */
  async of(provider: Provider, scopes: readonly string[], userId: string): Promise<UpstreamAccess> {
    const { speaksForPeople } = this.connectors.of(provider).traits(provider);
    const email = speaksForPeople ? await this.#emailOf(userId) : undefined;
    // One person's token must never be another's.
    const key = JSON.stringify([provider.id, provider.updatedAt, email, ...scopes.toSorted()]);
    const kept = this.#kept.get(key);
    if (kept?.expiresAt && kept.expiresAt.getTime() - MARGIN_MS > this.clock.now().getTime()) return kept;
    return this.#flights.join(key, () => this.#obtain(provider, scopes, key, email));
  }

  /** As an operator typed it: one that came from elsewhere may be anybody's. */
  async #emailOf(userId: string): Promise<string | undefined> {
    const user = await this.users.find(userId);
    return user?.provider === 'local' ? user.email : undefined;
  }

  async #obtain(
    provider: Provider,
    scopes: readonly string[],
    key: string,
    email: string | undefined,
  ): Promise<UpstreamAccess> {
    const connector = this.connectors.of(provider);
    const token = await connector.vend(provider, undefined, scopes, email).catch((error: unknown) => {
      // No person can mend it by connecting again.
      throw error instanceof UpstreamRefused ? new UpstreamMisconfigured(error.code) : error;
    });
    const { accessToken, expiresInSeconds } = token;
    const expiresAt =
      expiresInSeconds === undefined ? undefined : new Date(this.clock.now().getTime() + expiresInSeconds * 1000);
    const access = { accessToken, expiresAt, scopes: token.scopes ?? scopes };
    if (expiresAt && connector.traits(provider).cacheAccessTokens) this.#kept.set(key, { ...access, cached: true });
    return { ...access, cached: false };
  }
}
