import { setTimeout as pause } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Clock } from '../platform/clock/clock.js';
import { SingleFlight } from '../platform/single-flight.js';
import { IdentityProviders } from './identity-providers.js';
import { IdentityCheck, LONGEST_CHECK_MS } from './identity-check.js';
import type { Standing } from './identity-standing.js';
import { IdentityStandingStore } from './identity-standing.store.js';

/** `unchecked`: it is time to ask, and there is nothing to ask with. */
export type Verdict = 'welcome' | 'refused' | 'unchecked';

/** A provider that is away keeps nobody out for so long beyond the interval. */
const GRACE_MS = 60 * 60 * 1000;
/** Longer than a check usually takes: whoever waits for somebody else's has it then. */
const PATIENCE_MS = 6_000;
const PAUSE_MS = 100;
const LONGEST_RETRY_AFTER_SECONDS = 300;

/**
 * Whether somebody who came from an identity provider is still welcome (W47): asked again when the last word is older than the provider's
 * interval, once for all who want to know. The provider is no dependency of a refresh: away, it is gone without for an hour.
 *
 * Somebody with several identities stands as the one they last signed in with. Whoever has a password only, or came from a provider that
 * is never asked again, is no matter of this class.
 */
@Injectable()
export class Recheck {
  readonly #flights = new SingleFlight<Verdict>();

  constructor(
    private readonly providers: IdentityProviders,
    private readonly store: IdentityStandingStore,
    private readonly check: IdentityCheck,
    private readonly clock: Clock,
  ) {}

  /**
   * @param epoch of the policies that the caller decides on, where it has one: then this costs nothing where no provider is asked again
   * @throws OAuthError `try-again` when the provider has not answered for too long
   */
  async verdictOn(userId: string, epoch?: number): Promise<Verdict> {
    if (!(await this.providers.asksAgain(epoch))) return 'welcome';
    return this.#flights.join(userId, () => this.#verdict(userId));
  }

  async #verdict(userId: string): Promise<Verdict> {
    const deadline = performance.now() + PATIENCE_MS;
    for (;;) {
      const standing = await this.store.ofUser(userId);
      const provider = standing && (await this.providers.known(standing.provider));
      if (standing?.refusedAt) return 'refused';
      if (!standing || provider?.recheckSeconds === undefined) return 'welcome';
      const now = this.clock.now();
      const dueAt = after(standing.checkedAt, provider.recheckSeconds * 1000);
      if (now < dueAt) return 'welcome';
      // What its slug leads to by now may be somebody else, who is not to see the token of the former.
      if (standing.sealedRefreshToken === undefined || provider.issuer !== standing.issuer) return 'unchecked';
      if (standing.checkAgainAt && now < standing.checkAgainAt) return goOn(dueAt, now, standing.checkAgainAt);
      const { checkBeganAt } = standing;
      const othersAreAtIt = checkBeganAt !== undefined && now < after(checkBeganAt, LONGEST_CHECK_MS);
      if (!othersAreAtIt) {
        const verdict = await this.#carryOut(standing, dueAt);
        if (verdict) return verdict;
      }
      if (performance.now() > deadline) return goOn(dueAt, now);
      await pause(PAUSE_MS);
    }
  }

  /** @returns undefined when the standing is another by now */
  async #carryOut(standing: Standing, dueAt: Date): Promise<Verdict | undefined> {
    // Without our secret there it is as good as away.
    const provider = await this.providers.findKnown(standing.provider).catch(() => undefined);
    if (!provider) return goOn(dueAt, this.clock.now());
    const outcome = await this.check.of(provider, standing);
    return outcome instanceof Date ? goOn(dueAt, this.clock.now(), outcome) : outcome;
  }
}

/** @throws OAuthError `try-again` */
function goOn(dueAt: Date, now: Date, again?: Date): Verdict {
  if (now < after(dueAt, GRACE_MS)) return 'welcome';
  const seconds = again ? Math.ceil((again.getTime() - now.getTime()) / 1000) : 1;
  const bounded = Math.min(LONGEST_RETRY_AFTER_SECONDS, Math.max(1, seconds));
  throw new OAuthError('try-again', 'recheck_unavailable', { headers: { 'Retry-After': String(bounded) } });
}

const after = (from: Date, milliseconds: number): Date => new Date(from.getTime() + milliseconds);
