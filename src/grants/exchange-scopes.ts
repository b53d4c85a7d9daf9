import { OAuthError } from '#libs/oauth';

export interface ScopeBounds {
  /** What the subject token gives at the target, in the target's words. */
  readonly held: readonly string[];
  /** What the target declares; absent where no resource is named. */
  readonly declared?: readonly string[];
  /** What of it the person's groups leave; absent where they do not say. */
  readonly grouped?: readonly string[];
  /** What the acting client may have at most; empty: no limit of its own (W39). */
  readonly ceiling: readonly string[];
}

/**
 * Requested ∩ held ∩ groups ∩ declared ∩ ceiling (W31): whatever is asked for beyond is refused, not left out; nothing asked for is all of it.
 *
 * @throws OAuthError `invalid_scope`, also when nothing is left
 */
export function exchangeScopes(
  requested: readonly string[] | undefined,
  { held, grouped, declared, ceiling }: ScopeBounds,
  resource = '',
): string[] {
  const bounds = [
    {
      symptom: 'scope-unknown',
      reason: 'scope_not_in_catalog',
      has: (scope: string) => declared?.includes(scope) ?? true,
    },
    { symptom: 'scope-beyond-subject', reason: 'scope_not_held', has: (scope: string) => held.includes(scope) },
    {
      symptom: 'scope-beyond-subject',
      reason: 'scope_beyond_groups',
      has: (scope: string) => grouped?.includes(scope) ?? true,
    },
    {
      symptom: 'scope-above-ceiling',
      reason: 'scope_above_ceiling',
      has: (scope: string) => ceiling.length === 0 || ceiling.includes(scope),
    },
  ] as const;
  for (const scope of requested ?? []) {
    const crossed = bounds.find(({ has }) => !has(scope));
    if (crossed)
      throw new OAuthError(crossed.symptom, crossed.reason, { fill: { scope, resource }, facts: { scope, resource } });
  }
  const granted = (requested ?? held).filter((scope) => bounds.every(({ has }) => has(scope)));
  if (granted.length === 0) {
    const byGroups = grouped !== undefined && held.length > 0 && !held.some((scope) => grouped.includes(scope));
    const reason = byGroups ? 'groups_allow_nothing' : 'scope_nothing_left';
    throw new OAuthError('scope-empty', reason, { facts: { resource } });
  }
  return [...new Set(granted)];
}
