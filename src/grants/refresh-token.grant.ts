import { Injectable } from '@nestjs/common';
import { OAuthError, parseScope, required, type Form } from '#libs/oauth';
import { leftBy, type Ceiling } from '../accounts/group-scopes.js';
import type { Client } from '../clients/client.js';
import type { Proof } from '../dpop/dpop-verifier.js';
import type { MintResource, ResourceSnapshot } from '../resources/resource.js';
import type { Authorization, RepeatedAnswer } from '../tokens/authorization.js';
import { RefreshTokens, type PresentedRefreshToken } from '../tokens/refresh-tokens.js';
import { Grant } from './grant.js';
import { grantedResource } from './granted-resource.js';
import { PersonBounds } from './person-bounds.js';
import { stillGrantable, withinCeiling } from './scope-bounds.js';

/** RFC 6749 §6 with rotation and reuse detection (RFC 9700 §4.14.2). A refused refresh leaves the token unspent. */
@Injectable()
export class RefreshTokenGrant extends Grant {
  readonly type = 'refresh_token';

  constructor(
    private readonly refreshTokens: RefreshTokens,
    private readonly bounds: PersonBounds,
  ) {
    super();
  }

  async authorize(
    form: Form,
    client: Client,
    resources: ResourceSnapshot,
    proof?: Proof,
  ): Promise<Authorization | RepeatedAnswer> {
    const value = required(form, 'refresh_token');
    const request = { scope: form.get('scope'), resource: form.get('resource'), jkt: proof?.jkt };
    const presented = await this.refreshTokens.present(value, client, request);
    if ('repeated' in presented) return presented;
    const facts = { clientId: client.id, family: presented.id };
    if (!presented.userActive || presented.userVersion === null)
      throw new OAuthError('refresh-invalid', 'user_disabled', { facts });
    if (presented.consentRevoked !== null || presented.consentScopes === null) {
      throw new OAuthError('refresh-invalid', 'consent_withdrawn', { facts });
    }
    const resource = grantedResource(form, resources, presented.resourceId, client);
    const ceiling = await this.bounds.ceiling(presented.userId, resource.id, resources.epoch);
    const scopes = scopesOf(request.scope, presented, { resource, client, ceiling });
    await this.bounds.requireWelcome(presented, resources.epoch, facts);
    return {
      grantType: this.type,
      client,
      person: { id: presented.userId, version: presented.userVersion, consentId: presented.consentId },
      resource,
      policyEpoch: resources.epoch,
      scopes,
      spends: {
        kind: 'refresh_token',
        familyId: presented.id,
        generation: presented.generation,
        hash: presented.hash,
        value,
        endsAt: presented.endsAt,
        request,
      },
    };
  }
}

interface Bounds {
  readonly resource: MintResource;
  readonly client: Client;
  /** Of the person's groups. */
  readonly ceiling: Ceiling;
}

/** Family ∩ consent in force ∩ ceilings ∩ catalogue (W18); a request may narrow it, never widen it. */
function scopesOf(
  requested: string | undefined,
  family: PresentedRefreshToken,
  { resource, client, ceiling }: Bounds,
): string[] {
  const consented = family.scopes.filter((scope) => family.consentScopes?.includes(scope));
  const allowed = stillGrantable(consented, resource, client);
  const facts = { clientId: client.id, family: family.id };
  if (allowed.length === 0 && family.scopes.length > 0)
    throw new OAuthError('refresh-invalid', 'consent_withdrawn', { facts });
  const grantable = leftBy(ceiling, allowed);
  if (ceiling && grantable.length === 0) throw new OAuthError('refresh-invalid', 'groups_allow_nothing', { facts });
  if (requested === undefined) return grantable;
  const asked = parseScope(requested).filter((scope) => scope !== 'offline_access');
  const beyond = asked.find((scope) => !grantable.includes(scope));
  if (beyond === undefined) return asked.length > 0 ? asked : grantable;
  const options = { fill: { scope: beyond }, facts };
  if (allowed.includes(beyond)) throw new OAuthError('scope-beyond-grant', 'scope_beyond_groups', options);
  throw withinCeiling(beyond, client)
    ? new OAuthError('scope-beyond-grant', 'scope_not_granted', options)
    : new OAuthError('scope-above-ceiling', 'scope_above_ceiling', options);
}
