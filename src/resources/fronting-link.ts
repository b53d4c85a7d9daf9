/** Source scopes, each with the target scopes that it stands for. No name is parsed; a `:` is a character like any other. */
export type ScopeMap = Readonly<Record<string, readonly string[]>>;

/**
 * The operator's word that whoever acts as the source may turn a token for it into one for the target: the gateway in front of it.
 * The person allowed the source; the link stands for the consent at the target.
 */
export interface FrontingLink {
  readonly sourceId: string;
  readonly targetId: string;
  readonly sourceSlug: string;
  readonly targetSlug: string;
  readonly scopeMap: ScopeMap;
  readonly createdAt: Date;
  readonly createdBy: string;
}

/** As claims, audit rows and people name a link. */
export const linkName = ({ sourceSlug, targetSlug }: FrontingLink): string => `${sourceSlug}>${targetSlug}`;

/** Target scopes that `held` source scopes reach: any one of those that map to it is enough (W31). */
export function reachable(map: ScopeMap, held: readonly string[]): string[] {
  return [...new Set(Object.entries(map).flatMap(([source, targets]) => (held.includes(source) ? targets : [])))];
}

/** Whether one more link closes a circle: then the source can already be reached from the target. */
export function closesCircle(
  links: readonly Pick<FrontingLink, 'sourceId' | 'targetId'>[],
  { sourceId, targetId }: Pick<FrontingLink, 'sourceId' | 'targetId'>,
): boolean {
  const seen = new Set<string>();
  const open = [targetId];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    if (id === sourceId) return true;
    if (seen.has(id)) continue;
    seen.add(id);
    open.push(...links.filter((link) => link.sourceId === id).map((link) => link.targetId));
  }
  return false;
}
