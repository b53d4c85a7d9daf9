import { Injectable, Logger } from '@nestjs/common';
import { SealBroken } from '#libs/vault';
import { EncryptionOff } from '../encryption/encryption.js';
import { Clock } from '../platform/clock/clock.js';
import { persistently } from '../platform/persistently.js';
import { RefreshSlots } from '../platform/refresh-slots.js';
import type { IdentityProvider } from './identity-provider.js';
import type { Standing } from './identity-standing.js';
import { IdentityStandingStore } from './identity-standing.store.js';
import { IdentityVault } from './identity-vault.js';
import { StandingEnds } from './standing-ends.js';
import { UpstreamPerson, type Heard } from './upstream-person.js';

/** Whoever is at it for longer has died: discovery, token, keys and user info have five seconds each. */
export const LONGEST_CHECK_MS = 30_000;
/** How long a provider is left alone that was away, for each person: others may be luckier. */
const RETRY_MS = 30_000;
/** Questions at once, over all and to one provider: one that hangs must not take all that goes out of this process. */
const SLOTS = { all: 8, ofOne: 6 };

/** `unchecked`: there is nothing to ask with, any more. A time: the provider did not say, and is asked again then. */
export type Outcome = 'welcome' | 'refused' | 'unchecked' | Date;

/**
 * One question to an identity provider. That it will be asked is committed before it is; what it answers is committed before anybody acts
 * on it, the next refresh token above all. Whoever finds that somebody died in between knows that the token may be spent.
 */
@Injectable()
export class IdentityCheck {
  readonly #log = new Logger(IdentityCheck.name);
  readonly #slots = new RefreshSlots(SLOTS);

  constructor(
    private readonly store: IdentityStandingStore,
    private readonly person: UpstreamPerson,
    private readonly vault: IdentityVault,
    private readonly ends: StandingEnds,
    private readonly clock: Clock,
  ) {}

  /**
   * @returns undefined when the standing is another by now, or there is no room
   * @throws OAuthError `vault_unavailable`
   */
  async of(provider: IdentityProvider, standing: Standing): Promise<Outcome | undefined> {
    return this.#slots.run(provider.slug, () => this.#ask(provider, standing));
  }

  async #ask(provider: IdentityProvider, standing: Standing): Promise<Outcome | undefined> {
    const formerToken = await this.#open(standing);
    if (formerToken === undefined) return 'unchecked';
    const begunAt = this.clock.now();
    if (!(await this.store.begin(standing, begunAt))) return undefined;
    const heard = await this.person.stillWelcome(provider, standing.subject, formerToken);
    if (heard.kind === 'welcome') return this.#welcome(standing, begunAt, heard);
    if (heard.kind === 'unheard') return this.#postpone(standing, begunAt, heard);
    const lost = standing.checkBeganAt !== undefined && heard.why === 'invalid_grant';
    return this.ends.end(standing, begunAt, lost ? undefined : heard.why);
  }

  async #open(standing: Standing): Promise<string | undefined> {
    try {
      return await this.vault.open(standing, standing.sealedRefreshToken ?? '');
    } catch (error) {
      if (!(error instanceof SealBroken || error instanceof EncryptionOff)) throw error;
      this.#log.warn({ message: 'a refresh token does not open', identity: standing.identityId });
      return undefined;
    }
  }

  /** Tried again: neither a database nor a vault that is away for a moment must lose a token that exists nowhere else. */
  async #welcome(
    standing: Standing,
    begunAt: Date,
    { groups, refreshToken }: Heard & { kind: 'welcome' },
  ): Promise<Outcome | undefined> {
    const sealedRefreshToken = await this.#seal(standing, refreshToken);
    const heard = { at: begunAt, groups, sealedRefreshToken };
    const stored = await persistently(() =>
      this.store.transaction((tx) => this.store.welcome(tx, standing, begunAt, heard)),
    );
    return stored ? 'welcome' : undefined;
  }

  async #postpone(
    standing: Standing,
    begunAt: Date,
    { why, refreshToken, outcomeUnknown }: Heard & { kind: 'unheard' },
  ): Promise<Outcome> {
    const until = new Date(begunAt.getTime() + RETRY_MS);
    // A mark that stood there before stands for another question, about which this one says nothing, unless a token came of it.
    const unknown = refreshToken === undefined && (outcomeUnknown || standing.checkBeganAt !== undefined);
    const sealedRefreshToken = await this.#seal(standing, refreshToken);
    await persistently(() => this.store.postpone(standing, begunAt, { until, unknown, sealedRefreshToken }));
    this.#log.warn({ message: 'identity provider not heard again', provider: standing.provider, why });
    return until;
  }

  async #seal(standing: Standing, refreshToken: string | undefined): Promise<string | undefined> {
    return refreshToken === undefined ? undefined : persistently(() => this.vault.seal(standing, refreshToken));
  }
}
