import { Injectable } from '@nestjs/common';
import { AssertionWrong, readOrigin, verifyAssertion, type Assertion } from '#libs/id-jag';
import { OAuthError } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { IdpKeySets } from './idp-key-sets.js';
import type { Trust, TrustedIdp } from './trust.js';

/** Finds out whether an assertion is a trusted issuer's, and for this client. It spends nothing. */
@Injectable()
export class Assertions {
  constructor(
    private readonly keys: IdpKeySets,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws OAuthError `assertion-invalid`; `client-authentication-failed`; `try-again` when the issuer's keys are not to be had */
  async verify(text: string, client: Client, trust: Trust): Promise<{ assertion: Assertion; idp: TrustedIdp }> {
    const clientId = client.id;
    const { issuer, kid } = reading(() => readOrigin(text), { clientId });
    const facts = { clientId, idp: issuer };
    const { issuer: own } = this.config.server;
    if (issuer === own) throw new OAuthError('assertion-invalid', 'assertion_self_issued', { facts });
    const idp = trust.idp(issuer);
    if (!idp) throw new OAuthError('assertion-invalid', 'issuer_untrusted', { facts });
    if (!idp.enabled) throw new OAuthError('assertion-invalid', 'issuer_disabled', { facts });
    if (idp.kind === 'id_jag' && client.tokenEndpointAuthMethod === 'none')
      throw new OAuthError('client-authentication-failed', 'credentials_missing', { facts });
    const keys = await this.keys.keys(idp, kid);
    const expected = {
      kind: idp.kind,
      issuer,
      audience: idp.audience ?? own,
      clientId,
      now: this.clock.now(),
      maxAgeSeconds: this.config.xaa.maxAssertionAgeSeconds,
    };
    const assertion = await verifyAssertion(text, keys, expected).catch((error: unknown) => refuse(error, facts));
    // Without a jti nobody can tell whether it was used.
    if (idp.replay === 'single_use' && assertion.jti === undefined)
      throw new OAuthError('assertion-invalid', 'assertion_claims', { facts });
    return { assertion, idp };
  }
}

function reading<T>(work: () => T, facts: Readonly<Record<string, unknown>>): T {
  try {
    return work();
  } catch (error) {
    return refuse(error, facts);
  }
}

function refuse(error: unknown, facts: Readonly<Record<string, unknown>>): never {
  if (error instanceof AssertionWrong) throw new OAuthError('assertion-invalid', error.problem, { facts });
  throw error;
}
