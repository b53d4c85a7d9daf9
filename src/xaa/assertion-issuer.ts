import { Injectable } from '@nestjs/common';
import { formatScope, jwtType, tokenType } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { SigningKeys } from '../keys/signing-keys.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import { decidedOn, issuanceOf } from '../tokens/token-rows.js';
import type { AssertionAnswer, AssertionDecision } from './issued-assertion.js';
import { IssuedAssertionStore } from './issued-assertion.store.js';

/** Nobody can take an assertion back. */
const LIFETIME_SECONDS = 300;

/** Signs an identity assertion, then stores that there is one, then answers (draft-ietf-oauth-identity-assertion-authz-grant §4). */
@Injectable()
export class AssertionIssuer {
  constructor(
    private readonly store: IssuedAssertionStore,
    private readonly keys: SigningKeys,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** @returns the answer, or undefined when what was decided no longer holds and must be decided again */
  async issue(decision: AssertionDecision): Promise<AssertionAnswer | undefined> {
    const { client, person, family, audience, assertedResources, scopes, email, jkt } = decision;
    const now = this.clock.now();
    const issuedAt = Math.floor(now.getTime() / 1000);
    const expiresAt = Math.min(issuedAt + LIFETIME_SECONDS, Math.floor(family.endsAt.getTime() / 1000));
    const jti = uuid7(now);
    const scope = scopes.length > 0 ? { scope: formatScope(scopes) } : {};
    const claims = {
      iss: this.config.server.issuer,
      sub: person.id,
      aud: audience.audience,
      client_id: audience.audienceClientId,
      jti,
      iat: issuedAt,
      exp: expiresAt,
      resource: assertedResources.length === 1 ? assertedResources[0] : assertedResources,
      ...scope,
      ...(email === undefined ? {} : { email }),
      ...(jkt === undefined ? {} : { cnf: { jkt } }),
    };
    const { jwt, kid } = await this.keys.sign({ typ: jwtType.idJag }, claims);
    const issuance = issuanceOf(decision, audience.audience, {
      jti,
      kid,
      issuedAt: new Date(issuedAt * 1000),
      expiresAt: new Date(expiresAt * 1000),
      familyId: family.id,
      dpopJkt: jkt ?? null,
    });
    const detail = {
      jti,
      sub: person.id,
      audience: audience.audience,
      audience_client: audience.audienceClientId,
      resources: assertedResources,
      scopes,
      family: family.id,
      consent: person.consentId,
      allowed_by: audience.id,
      email: email !== undefined,
    };
    const fact = { action: 'xaa.assertion_issued', actorId: person.id, clientId: client.id, detail };
    const shown = { generation: family.generation, at: now };
    const stored = await this.store.insert(decidedOn(decision), issuance, shown, this.audit.rows(fact));
    if (!stored) return undefined;
    const answer = { access_token: jwt, issued_token_type: tokenType.idJag, token_type: 'N_A' } as const;
    return { ...answer, expires_in: expiresAt - issuedAt, ...scope };
  }
}
