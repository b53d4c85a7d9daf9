import { Injectable } from '@nestjs/common';
import { GroupScopeStore, type GroupScope } from './group-scope.store.js';

export type { GroupScope };

/** The scopes that somebody may have at most; undefined where groups do not say. */
export type Ceiling = ReadonlySet<string> | undefined;

/**
 * What the groups of people at their identity provider leave them of a resource. Where the provider at which a person last signed in maps
 * groups for a resource, they have what is mapped for theirs and nothing else; the others are not bound.
 */
@Injectable()
export class GroupScopes {
  #known: { readonly epoch: number; readonly byResource: ReadonlyMap<string, readonly GroupScope[]> } | undefined;

  constructor(private readonly store: GroupScopeStore) {}

  /**
   * Where nothing is mapped it asks the database nothing.
   *
   * @param resourceId absent: at no resource, where whoever is bound by groups anywhere has nothing
   * @param epoch that the caller decides on: the statement that stores the decision verifies it (S6). Absent: as of now
   */
  async ceiling(userId: string, resourceId: string | undefined, epoch?: number): Promise<Ceiling> {
    const all = await this.#as(epoch);
    const mapped = resourceId === undefined ? [...all.values()].flat() : (all.get(resourceId) ?? []);
    const standing = mapped.length > 0 ? await this.store.standing(userId) : undefined;
    const theirs = mapped.filter(({ provider }) => provider === standing?.provider);
    if (theirs.length === 0) return undefined;
    if (resourceId === undefined) return new Set();
    const groups = new Set(standing?.groups);
    return new Set(theirs.filter(({ group }) => groups.has(group)).flatMap(({ scopes }) => scopes));
  }

  async #as(epoch: number | undefined): Promise<ReadonlyMap<string, readonly GroupScope[]>> {
    if (this.#known && this.#known.epoch === epoch) return this.#known.byResource;
    // The epoch first: rows that are newer than it are read again at the next one.
    const now = await this.store.epoch();
    if (this.#known?.epoch !== now) {
      const byResource = new Map<string, GroupScope[]>();
      for (const row of await this.store.all())
        byResource.set(row.resourceId, [...(byResource.get(row.resourceId) ?? []), row]);
      this.#known = { epoch: now, byResource };
    }
    return this.#known.byResource;
  }
}

/** Those of `scopes` that a ceiling leaves. */
export const leftBy = (ceiling: Ceiling, scopes: readonly string[]): string[] =>
  scopes.filter((scope) => ceiling?.has(scope) ?? true);
