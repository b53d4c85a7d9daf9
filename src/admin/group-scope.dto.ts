import { ArrayMinSize, MinLength } from 'class-validator';
import type { GroupScope } from '../accounts/group-scopes.js';
import { IsText, IsTextList, MayBeAbsent } from './member-checks.js';

export class SetGroupScope {
  /** Slug of a sign-in provider. */
  @IsText(63)
  @MinLength(1)
  provider: string;

  /** As the provider names it, byte for byte. */
  @IsText(256)
  @MinLength(1)
  group: string;

  /** Slug of a resource. */
  @IsText(64)
  @MinLength(1)
  resource: string;

  /** All that the group gives there. */
  @IsTextList(100, 128)
  @ArrayMinSize(1)
  scopes: string[];
}

export class ListGroupScopes {
  @MayBeAbsent()
  @IsText(63)
  provider?: string;

  @MayBeAbsent()
  @IsText(64)
  resource?: string;
}

export const toGroupScopeView = (row: GroupScope) => ({
  id: row.id,
  provider: row.provider,
  group: row.group,
  resource: row.resourceSlug,
  scopes: row.scopes,
  created_at: row.createdAt.toISOString(),
  updated_at: row.updatedAt.toISOString(),
});
