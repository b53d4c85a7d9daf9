import { IsBoolean, IsIn, IsISO8601, IsObject, IsUUID, MinLength } from 'class-validator';
import { isPlainText } from '#libs/oauth';
import type { SubjectMapping } from '../xaa/subject-mappings.js';
import type { SubjectBy, XaaPolicy } from '../xaa/trust.js';
import type { PolicyMembers } from '../xaa/xaa-policies.js';
import { IsText, IsTextList, MayBeAbsent, MayBeNull } from './member-checks.js';
import { invalidRequest } from './problem.js';

const maxConditions = 20;

export class UpdatePolicy {
  @MayBeAbsent()
  @IsText(200)
  @MinLength(1)
  name?: string;

  /** Empty: any client. */
  @MayBeAbsent()
  @IsTextList(100, 2048)
  client_ids?: string[];

  /** Empty: no bound of its own. */
  @MayBeAbsent()
  @IsTextList(100, 128)
  scopes?: string[];

  /** URIs as registered. Empty: any. */
  @MayBeAbsent()
  @IsTextList(100, 2048)
  resources?: string[];

  /** One of them must be in the claim `groups`. Empty: any or none. */
  @MayBeAbsent()
  @IsTextList(100, 256)
  groups?: string[];

  /** Claims that must be exactly this text. */
  @MayBeAbsent()
  @IsObject()
  conditions?: Record<string, unknown>;

  /** By what, beside its identities, a subject may be found. */
  @MayBeAbsent()
  @IsIn(['aud_sub', 'email'], { each: true })
  @IsTextList(2, 10)
  subject_by?: SubjectBy[];

  /** Null: without end. */
  @MayBeNull()
  @IsISO8601({ strict: true })
  expires_at?: string | null;

  @MayBeAbsent()
  @IsBoolean()
  enabled?: boolean;
}

export class CreatePolicy extends UpdatePolicy {
  @IsText(200)
  @MinLength(1)
  declare name: string;

  @IsUUID()
  idp_id: string;
}

export class OfIdp {
  @MayBeAbsent()
  @IsUUID()
  idp_id?: string;
}

export class CreateMapping {
  @IsUUID()
  idp_id: string;

  @IsText(256)
  @MinLength(1)
  idp_subject: string;

  @IsUUID()
  local_user_id: string;
}

/** @throws Problem */
export const toPolicyMembers = (dto: UpdatePolicy): PolicyMembers => ({
  name: dto.name,
  clientIds: dto.client_ids,
  scopes: dto.scopes,
  resources: dto.resources,
  groups: dto.groups,
  conditions: dto.conditions && conditionsOf(dto.conditions),
  subjectBy: dto.subject_by,
  expiresAt: typeof dto.expires_at === 'string' ? new Date(dto.expires_at) : dto.expires_at,
  enabled: dto.enabled,
});

function conditionsOf(given: Readonly<Record<string, unknown>>): Record<string, string> {
  const entries = Object.entries(given);
  const texts = entries.filter((entry): entry is [string, string] => entry.every(isUsable));
  if (texts.length < entries.length || texts.length > maxConditions)
    throw invalidRequest(`conditions must map at most ${maxConditions} claims to a text each`);
  return Object.fromEntries(texts);
}

const isUsable = (text: unknown): boolean => typeof text === 'string' && text.length <= 256 && isPlainText(text);

export const toPolicyView = (policy: XaaPolicy) => ({
  id: policy.id,
  name: policy.name,
  idp_id: policy.idpId,
  client_ids: policy.clientIds,
  scopes: policy.scopes,
  resources: policy.resources,
  groups: policy.groups,
  conditions: policy.conditions,
  subject_by: policy.subjectBy,
  expires_at: policy.expiresAt?.toISOString(),
  enabled: policy.enabled,
  created_at: policy.createdAt.toISOString(),
  updated_at: policy.updatedAt.toISOString(),
});

export const toMappingView = ({ id, idpId, subject, userId, createdAt }: SubjectMapping) => ({
  id,
  idp_id: idpId,
  idp_subject: subject,
  local_user_id: userId,
  created_at: createdAt.toISOString(),
});
