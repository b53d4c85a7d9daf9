import { IsInt, IsUUID, Max, Min } from 'class-validator';
import type { Issuance, IssuanceKind } from '../tokens/issuances.js';
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

export const toIssuanceView = (issuance: Issuance, kind: IssuanceKind) => ({
  id: issuance.jti,
  jti: issuance.jti,
  subject_user_id: issuance.userId ?? '',
  subject: issuance.subject,
  client_id: issuance.clientId,
  resource_id: issuance.resourceId,
  audience: issuance.audience,
  scopes: issuance.scopes,
  grant_type: issuance.grantType,
  backend_kind: kind === 'vend' ? 'broker' : 'mint',
  revocable: kind === 'token',
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
