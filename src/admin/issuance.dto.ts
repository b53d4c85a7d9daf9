import { IsInt, IsUUID, Max, Min } from 'class-validator';
import type { Issuance } from '../tokens/issuances.js';
import { WholeNumber } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';

export class ListIssuances {
  @MayBeAbsent()
  @IsUUID()
  user?: string;

  @MayBeAbsent()
  @IsText(2048)
  client?: string;

  @MayBeAbsent()
  @IsUUID()
  resource?: string;

  @MayBeAbsent()
  @IsUUID()
  jti?: string;

  /** How far back, as `90m`, `24h` or `7d`. */
  @MayBeAbsent()
  @IsText(40)
  since?: string;

  @MayBeAbsent()
  @WholeNumber()
  @Max(5000)
  @Min(1)
  @IsInt()
  limit?: number = 500;
}

/** @param issuer ours: a token for nobody's resource and not for us is an assertion to another authorization server */
export const toIssuanceView = (issuance: Issuance, issuer: string) => ({
  id: issuance.jti,
  jti: issuance.jti,
  subject_user_id: issuance.userId ?? '',
  subject: issuance.subject,
  client_id: issuance.clientId,
  resource_id: issuance.resourceId,
  audience: issuance.audience,
  scopes: issuance.scopes,
  grant_type: issuance.grantType,
  // An upstream's token has no key of ours. It is not ours to take back, and neither is an assertion.
  backend_kind: issuance.kid === null ? 'broker' : 'mint',
  revocable: issuance.kid !== null && (issuance.resourceId !== null || issuance.audience === issuer),
  kid: issuance.kid ?? undefined,
  issued_at: issuance.issuedAt.toISOString(),
  expires_at: issuance.expiresAt.toISOString(),
  revoked_at: issuance.revokedAt?.toISOString(),
  dpop_jkt: issuance.dpopJkt ?? undefined,
  agent_id: issuance.agentId ?? undefined,
  agent_chain: issuance.agentChain,
  family_id: issuance.familyId ?? undefined,
  consent_id: issuance.consentId ?? undefined,
  consent_client_id: issuance.consentClientId ?? undefined,
  parent_jti: issuance.parentJti ?? undefined,
  connection_id: issuance.connectionId ?? undefined,
});
