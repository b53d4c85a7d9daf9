import { IsInt, IsUUID, Max, Min } from 'class-validator';
import type { Family } from '../tokens/issuances.js';
import { WholeNumber } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';

export class ListOfTokens {
  @MayBeAbsent()
  @WholeNumber()
  @Max(1000)
  @Min(1)
  @IsInt()
  limit?: number = 100;

  @MayBeAbsent()
  @WholeNumber()
  @Max(100_000)
  @Min(0)
  @IsInt()
  offset?: number;
}

export class ListTokens extends ListOfTokens {
  @MayBeAbsent()
  @IsText(2048)
  client_id?: string;

  @MayBeAbsent()
  @IsUUID()
  user_id?: string;
}

/** A family of tokens, named by its id. Of the tokens themselves only hashes exist. */
export const toFamilyView = (family: Family) => ({
  id: family.id,
  client_id: family.clientId,
  user_id: family.userId,
  resource_id: family.resourceId,
  scopes: family.scopes,
  created_at: family.createdAt.toISOString(),
  expires_at: family.expiresAt.toISOString(),
  revoked_at: family.revokedAt?.toISOString(),
});
