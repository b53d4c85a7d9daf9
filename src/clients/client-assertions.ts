import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { AssertionRefused, readClaimed, verifyClientAssertion, type VerifiedAssertion } from '#libs/jwt';
import { sha256 } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { assertionRefused } from './client-credentials.js';
import { ClientKeys } from './client-keys.js';
import type { Client } from './client.js';
import { UsedAssertionStore } from './used-assertion.store.js';

/** A used assertion is remembered beyond its end: the clocks of replicas may differ by this much. */
const CLOCK_SKEW_MS = 60_000;

/** Client authentication by a signed assertion that works once (RFC 7523 §3, W42). */
@Injectable()
export class ClientAssertions {
  /** A request that is decided again (S6) has spent its assertion itself. */
  readonly #spentBy = new WeakSet<Request>();

  constructor(
    private readonly keys: ClientKeys,
    private readonly used: UsedAssertionStore,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /**
   * The keys are looked at whenever it is asked, the assertion is spent by the first time.
   *
   * @throws OAuthError `client-authentication-failed` with `facts.check`; `try-again` when the host of the client's keys is away
   * @throws DatabaseAway when it cannot be known whether the assertion was used before
   */
  async verify(req: Request, client: Client, assertion: string): Promise<void> {
    const { keys, alg } = await this.keys.of(client, readClaimed(assertion)?.kid);
    const now = this.clock.now();
    let verified: VerifiedAssertion;
    try {
      verified = await verifyClientAssertion(assertion, keys, {
        clientId: client.id,
        audiences: this.#audiences(),
        alg,
        now,
      });
    } catch (error) {
      if (error instanceof AssertionRefused) throw assertionRefused(error.check, client.id);
      throw error;
    }
    if (this.#spentBy.has(req)) return;
    const key = sha256(`client\0${client.id}\0${verified.jti}`);
    const keptUntil = new Date(verified.expiresAt.getTime() + CLOCK_SKEW_MS);
    if (!(await this.used.claim(key, keptUntil, now))) throw assertionRefused('replayed', client.id);
    this.#spentBy.add(req);
  }

  /** The issuer alone: what an assertion for another server's endpoint says must not count here (rfc7523bis). */
  #audiences(): string[] {
    const { issuer } = this.config.server;
    return this.config.oauth.acceptTokenEndpointAudience ? [issuer, `${issuer}/oauth/token`] : [issuer];
  }
}
