import { ArrayMinSize, IsBoolean, Matches, MinLength } from 'class-validator';
import type { Audience } from '../xaa/audience.js';
import type { AudienceChange, AudienceDraft } from '../xaa/audiences.js';
import { IsText, IsTextList, MayBeAbsent } from './member-checks.js';

/** RFC 6749 §3.3 */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export class UpdateAudience {
  /** Who our client is there. */
  @MayBeAbsent()
  @IsText(2048)
  @MinLength(1)
  audience_client_id?: string;

  /** Of the audience, as registered there. */
  @MayBeAbsent()
  @IsTextList(50, 2048)
  @ArrayMinSize(1)
  resources?: string[];

  /** At most these. Empty: assertions name no scope. */
  @MayBeAbsent()
  @Matches(scopeToken, { each: true, message: 'each value in $property must be a scope' })
  @IsTextList(100, 128)
  scopes?: string[];

  /** Whether it learns the e-mail address of people. */
  @MayBeAbsent()
  @IsBoolean()
  include_email?: boolean;

  @MayBeAbsent()
  @IsBoolean()
  enabled?: boolean;
}

export class CreateAudience {
  /** The issuer of the other authorization server, byte for byte. */
  @IsText(2048)
  @MinLength(1)
  audience: string;

  /** Our client. */
  @IsText(2048)
  @MinLength(1)
  client_id: string;

  @IsText(2048)
  @MinLength(1)
  audience_client_id: string;

  @IsTextList(50, 2048)
  @ArrayMinSize(1)
  resources: string[];

  @Matches(scopeToken, { each: true, message: 'each value in $property must be a scope' })
  @IsTextList(100, 128)
  scopes: string[];

  @MayBeAbsent()
  @IsBoolean()
  include_email?: boolean;
}

export class OfClient {
  @MayBeAbsent()
  @IsText(2048)
  client_id?: string;
}

export const toAudienceDraft = (dto: CreateAudience): AudienceDraft => ({
  audience: dto.audience,
  clientId: dto.client_id,
  audienceClientId: dto.audience_client_id,
  resources: dto.resources,
  scopes: dto.scopes,
  includeEmail: dto.include_email,
});

export const toAudienceChange = (dto: UpdateAudience): AudienceChange => ({
  audienceClientId: dto.audience_client_id,
  resources: dto.resources,
  scopes: dto.scopes,
  includeEmail: dto.include_email,
  enabled: dto.enabled,
});

export const toAudienceView = (row: Audience) => ({
  id: row.id,
  audience: row.audience,
  client_id: row.clientId,
  audience_client_id: row.audienceClientId,
  resources: row.resources,
  scopes: row.scopes,
  include_email: row.includeEmail,
  enabled: row.enabled,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
});
