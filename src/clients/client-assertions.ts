import { Injectable } from '@nestjs/common';
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
  constructor(
    private readonly keys: ClientKeys,
    private readonly used: UsedAssertionStore,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws OAuthError `client-authentication-failed` with `facts.check`; `try-again` when the host of the client's keys is away */
  async verify(client: Client, assertion: string): Promise<VerifiedAssertion> {
    const { keys, alg } = await this.keys.of(client, readClaimed(assertion)?.kid);
    try {
      return await verifyClientAssertion(assertion, keys, {
        clientId: client.id,
        audiences: this.#audiences(),
        alg,
        now: this.clock.now(),
      });
    } catch (error) {
      if (error instanceof AssertionRefused) throw assertionRefused(error.check, client.id);
      throw error;
    }
  }

  /**
   * @throws OAuthError `client-authentication-failed` when it was used before
   * @throws DatabaseAway when that cannot be known
   */
  async claim(client: Client, { jti, expiresAt }: VerifiedAssertion): Promise<void> {
    const key = sha256(`client\0${client.id}\0${jti}`);
    const keptUntil = new Date(expiresAt.getTime() + CLOCK_SKEW_MS);
    if (!(await this.used.claim(key, keptUntil, this.clock.now()))) throw assertionRefused('replayed', client.id);
  }

  /** The issuer alone: what an assertion for another server's endpoint says must not count here (rfc7523bis). */
  #audiences(): string[] {
    const { issuer } = this.config.server;
    return this.config.oauth.acceptTokenEndpointAudience ? [issuer, `${issuer}/oauth/token`] : [issuer];
  }
}
