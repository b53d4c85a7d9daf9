import { IsIn, IsObject, MinLength } from 'class-validator';
import type { FrontingLink, ScopeMap } from '../resources/fronting-link.js';
import { IsText, MayBeAbsent } from './member-checks.js';
import { invalidRequest } from './problem.js';

const maxTargets = 100;

class ScopeMapMember {
  /** Source scopes, each with the list of target scopes that it stands for. */
  @IsObject()
  scope_map: Record<string, unknown>;
}

export class CreateFronting extends ScopeMapMember {
  /** Slug of the resource whose tokens may be exchanged. */
  @IsText(64)
  @MinLength(1)
  source: string;

  /** Slug of the resource behind it. */
  @IsText(64)
  @MinLength(1)
  target: string;
}

export class UpdateFronting extends ScopeMapMember {}

export class ListFronting {
  @MayBeAbsent()
  @IsText(64)
  source?: string;

  @MayBeAbsent()
  @IsText(64)
  target?: string;
}

export class DryRun {
  /** Checks everything, stores nothing. */
  @MayBeAbsent()
  @IsIn(['true', 'false'])
  dry_run?: 'true' | 'false';
}

/** @throws Problem when a value is no list of names; whether the names are declared is not asked here */
export function toScopeMap({ scope_map: map }: ScopeMapMember): ScopeMap {
  const entries = Object.entries(map).map(([source, targets]): [string, string[]] => {
    const list: readonly unknown[] = Array.isArray(targets) ? targets : [];
    const names = list.filter((name) => typeof name === 'string');
    if (!Array.isArray(targets) || names.length !== list.length || list.length > maxTargets)
      throw invalidRequest('scope_map must map each source scope to a list of target scopes');
    return [source, [...new Set(names)]];
  });
  return Object.fromEntries(entries);
}

export const toFrontingView = (link: FrontingLink) => ({
  source_slug: link.sourceSlug,
  target_slug: link.targetSlug,
  scope_map: link.scopeMap,
  created_at: link.createdAt.toISOString(),
  created_by: link.createdBy,
});
