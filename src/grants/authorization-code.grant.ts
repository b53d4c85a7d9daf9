import { Injectable } from '@nestjs/common';
import { challengeOf, isCodeVerifier, OAuthError, required, sameBytes, type Form } from '#libs/oauth';
import { GroupScopes, leftBy } from '../accounts/group-scopes.js';
import type { Client } from '../clients/client.js';
import { requireKey, type Proof } from '../dpop/dpop-verifier.js';
import type { ResourceSnapshot } from '../resources/resource.js';
import { AuthorizationCodes, type PresentedCode } from '../tokens/authorization-codes.js';
import type { Authorization } from '../tokens/authorization.js';
import { Grant } from './grant.js';
import { grantedResource } from './granted-resource.js';
import { stillGrantable } from './scope-bounds.js';

/** RFC 6749 §4.1.3 with PKCE (RFC 7636 §4.6). A wrong verifier, redirect, resource or client leaves the code unspent (W15). */
@Injectable()
export class AuthorizationCodeGrant extends Grant {
  readonly type = 'authorization_code';

  constructor(
    private readonly codes: AuthorizationCodes,
    private readonly groups: GroupScopes,
  ) {
    super();
  }

  async authorize(form: Form, client: Client, resources: ResourceSnapshot, proof?: Proof): Promise<Authorization> {
    const value = required(form, 'code');
    const verifier = required(form, 'code_verifier');
    const code = await this.codes.present(value, client.id, ({ codeChallenge }) => verifies(verifier, codeChallenge));
    const facts = { clientId: client.id, family: code.familyId };
    requireSameRedirect(form, code, facts);
    if (!isCodeVerifier(verifier)) throw new OAuthError('pkce-failed', 'verifier_malformed', { facts });
    if (!verifies(verifier, code.codeChallenge)) throw new OAuthError('pkce-failed', 'verifier_mismatch', { facts });
    if (code.dpopJkt !== null) requireKey(proof, code.dpopJkt, facts);
    const resource = grantedResource(form, resources, code.resourceId, client);
    const consented = code.scopes.filter((scope) => code.consentScopes?.includes(scope));
    const isWithdrawn = code.consentRevoked !== null || (consented.length === 0 && code.scopes.length > 0);
    if (isWithdrawn || code.consentScopes === null) throw new OAuthError('grant-ended', 'consent_withdrawn', { facts });
    if (code.familyRevoked !== null) throw new OAuthError('grant-ended', 'signed_out', { facts });
    if (!code.userActive || code.userVersion === null) throw new OAuthError('grant-ended', 'user_disabled', { facts });
    const grantable = stillGrantable(consented, resource, client);
    if (grantable.length === 0 && consented.length > 0)
      throw new OAuthError('scope-empty', 'scope_nothing_left', { facts });
    const ceiling = await this.groups.ceiling(code.userId, resource.id, resources.epoch);
    const scopes = leftBy(ceiling, grantable);
    if (ceiling && scopes.length === 0) throw new OAuthError('scope-empty', 'groups_allow_nothing', { facts });
    return {
      grantType: this.type,
      client,
      person: { id: code.userId, version: code.userVersion, consentId: code.consentId },
      resource,
      policyEpoch: resources.epoch,
      scopes,
      spends: { kind: 'code', id: code.id, hash: code.hash, familyId: code.familyId },
    };
  }
}

const verifies = (verifier: string, challenge: string): boolean =>
  isCodeVerifier(verifier) && sameBytes(Buffer.from(challengeOf(verifier)), Buffer.from(challenge));

/** Absent is fine (OAuth 2.1 §4.1.3: PKCE has taken its place); present it must be the same bytes. */
function requireSameRedirect(form: Form, code: PresentedCode, facts: object): void {
  const redirectUri = form.get('redirect_uri');
  if (redirectUri !== undefined && redirectUri !== code.redirectUri) {
    throw new OAuthError('redirect-differs', 'redirect_mismatch', {
      facts: { ...facts, expected: code.redirectUri, received: redirectUri },
    });
  }
}
