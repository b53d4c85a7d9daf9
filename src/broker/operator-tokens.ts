import { Injectable, Logger } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { Users } from '../accounts/users.js';
import { Clock } from '../platform/clock/clock.js';
import { Connectors } from './connectors/connectors.js';
import type { Provider } from './provider.js';
import { RefreshSlots } from '../platform/refresh-slots.js';
import { SingleFlight } from '../platform/single-flight.js';
import type { UpstreamAccess } from './upstream-access.js';
import { UpstreamAway, UpstreamMisconfigured, UpstreamRefused } from './upstream-errors.js';
import { retryAt, retryLater } from './upstream-trouble.js';

const MARGIN_MS = 60_000;
const MAX_KEPT = 1_000;
const MOST_UNDER_WAY = { all: 6, ofOne: 4 };

/** Access tokens by the operator's own credential: nobody connects, and nothing rotates. They are kept in memory only. */
@Injectable()
export class OperatorTokens {
  readonly #log = new Logger(OperatorTokens.name);
  readonly #flights = new SingleFlight<UpstreamAccess>();
  readonly #slots = new RefreshSlots(MOST_UNDER_WAY);
  /** When a provider that is away may be asked again, by its id. */
  readonly #away = new LRUCache<string, Date>({ max: MAX_KEPT });
  readonly #kept = new LRUCache<string, UpstreamAccess>({ max: MAX_KEPT });

  constructor(
    private readonly connectors: Connectors,
    private readonly users: Users,
    private readonly clock: Clock,
  ) {}

  /**
   * @param userId the person behind the agent, for a provider whose tokens speak for people
   * @throws OAuthError `try-again` when upstream is not asked; UpstreamAway, UpstreamMisconfigured
   */
  async of(provider: Provider, scopes: readonly string[], userId: string): Promise<UpstreamAccess> {
    const { speaksForPeople } = this.connectors.of(provider).traits(provider);
    const email = speaksForPeople ? await this.#emailOf(userId) : undefined;
    // One person's token must never be another's.
    const key = JSON.stringify([provider.id, provider.updatedAt, email, ...scopes.toSorted()]);
    const kept = this.#kept.get(key);
    if (kept?.expiresAt && kept.expiresAt.getTime() - MARGIN_MS > this.clock.now().getTime()) return kept;
    return this.#flights.join(key, async () => {
      const [until, now] = [this.#away.get(provider.id), this.clock.now()];
      if (until && until > now) throw retryLater(until, now);
      const obtained = this.#slots.run(provider.id, () => this.#obtain(provider, scopes, key, email));
      if (obtained) return obtained;
      this.#log.warn({ message: 'upstream token not vended', reason: 'too_many_under_way', provider: provider.slug });
      throw retryLater();
    });
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
      if (error instanceof UpstreamAway) this.#away.set(provider.id, retryAt(error, this.clock.now()));
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
