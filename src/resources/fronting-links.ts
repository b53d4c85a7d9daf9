import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { closesCircle, linkName, type FrontingLink, type ScopeMap } from './fronting-link.js';
import { FrontingStore } from './fronting.store.js';
import type { Resource } from './resource.js';
import { ResourceStore } from './resource.store.js';

export interface FrontingDraft {
  /** Slugs. */
  readonly source: string;
  readonly target: string;
  readonly scopeMap: ScopeMap;
}

export class FrontingInvalid extends Error {}
export class FrontingNotFound extends Error {}
export class FrontingExists extends Error {}
/** The link would close a circle. */
export class FrontingCircle extends Error {}

const MAX_SOURCE_SCOPES = 100;

/** The operator's links between resources. Every change ends with a new policy epoch (S6). */
@Injectable()
export class FrontingLinks {
  constructor(
    private readonly store: FrontingStore,
    private readonly resources: ResourceStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  list(): Promise<FrontingLink[]> {
    return this.store.all();
  }

  /** Links from and to a resource. @throws FrontingNotFound when there is no such resource */
  async around(slug: string): Promise<{ fronts: FrontingLink[]; frontedBy: FrontingLink[] }> {
    const [resources, links] = await Promise.all([this.resources.all(), this.store.all()]);
    if (!resources.some((resource) => resource.slug === slug)) throw new FrontingNotFound();
    return {
      fronts: links.filter(({ sourceSlug }) => sourceSlug === slug),
      frontedBy: links.filter(({ targetSlug }) => targetSlug === slug),
    };
  }

  /** @throws FrontingNotFound */
  async get(source: string, target: string): Promise<FrontingLink> {
    return found(await this.store.all(), source, target);
  }

  /**
   * @param dryRun checks everything and stores nothing
   * @throws FrontingInvalid, FrontingExists, FrontingCircle
   */
  async create({ source, target, scopeMap }: FrontingDraft, dryRun = false): Promise<FrontingLink> {
    const bySlug = await this.#idsBySlug();
    return this.store.transaction(async (tx) => {
      await this.store.lock(tx);
      const [from, to] = await this.#ends(tx, bySlug, source, target);
      requireFit(scopeMap, from, to);
      const link: FrontingLink = {
        sourceId: from.id,
        targetId: to.id,
        sourceSlug: from.slug,
        targetSlug: to.slug,
        scopeMap,
        createdAt: this.clock.now(),
        createdBy: 'admin',
      };
      const links = await this.store.all(tx);
      if (links.some(({ sourceId, targetId }) => sourceId === from.id && targetId === to.id)) throw exists(link);
      if (closesCircle(links, link)) throw new FrontingCircle(`${linkName(link)} would close a circle`);
      if (dryRun) return link;
      if (!(await this.store.insert(tx, link))) throw exists(link);
      await this.#changed(tx, 'fronting_link.created', link);
      return link;
    });
  }

  /** @throws FrontingNotFound, FrontingInvalid */
  async setScopeMap(source: string, target: string, scopeMap: ScopeMap): Promise<FrontingLink> {
    const bySlug = await this.#idsBySlug();
    return this.store.transaction(async (tx) => {
      await this.store.lock(tx);
      const link = found(await this.store.all(tx), source, target);
      const [from, to] = await this.#ends(tx, bySlug, source, target);
      requireFit(scopeMap, from, to);
      await this.store.setScopeMap(tx, link, scopeMap);
      await this.#changed(tx, 'fronting_link.patched', { ...link, scopeMap });
      return { ...link, scopeMap };
    });
  }

  /** @throws FrontingNotFound */
  async remove(source: string, target: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      await this.store.lock(tx);
      const link = found(await this.store.all(tx), source, target);
      await this.store.remove(tx, link);
      await this.#changed(tx, 'fronting_link.deleted', link);
    });
  }

  /** Both ends under their locks, in the order of their ids, so that neither changes or goes while the link is made. */
  async #ends(
    tx: Transaction,
    bySlug: ReadonlyMap<string, string>,
    source: string,
    target: string,
  ): Promise<[Resource, Resource]> {
    const locked = new Map<string, Resource | undefined>();
    for (const id of [bySlug.get(source), bySlug.get(target)].filter((known) => known !== undefined).toSorted())
      locked.set(id, await this.resources.lock(tx, id));
    const [from, to] = [source, target].map((slug) => locked.get(bySlug.get(slug) ?? ''));
    if (!from) throw new FrontingInvalid(`source ${source} is no resource`);
    if (!to) throw new FrontingInvalid(`target ${target} is no resource`);
    return [from, to];
  }

  async #idsBySlug(): Promise<ReadonlyMap<string, string>> {
    return new Map((await this.resources.all()).map(({ slug, id }) => [slug, id]));
  }

  async #changed(tx: Transaction, action: string, link: FrontingLink): Promise<void> {
    await bumpPolicyEpoch(tx);
    const { sourceSlug: source, targetSlug: target, scopeMap } = link;
    await this.audit.record(tx, { action, detail: { source, target, scope_map: scopeMap } });
  }
}

function found(links: readonly FrontingLink[], source: string, target: string): FrontingLink {
  const link = links.find(({ sourceSlug, targetSlug }) => sourceSlug === source && targetSlug === target);
  if (!link) throw new FrontingNotFound();
  return link;
}

const exists = (link: FrontingLink): FrontingExists => new FrontingExists(`${linkName(link)} exists already`);

/** Names that neither catalogue has would be permissions that appear the day somebody declares them. */
function requireFit(map: ScopeMap, source: Resource, target: Resource): void {
  if (source.backendKind !== 'mint') throw new FrontingInvalid('the source must be a mint resource');
  const entries = Object.entries(map);
  if (entries.length === 0) throw new FrontingInvalid('scope_map needs at least one entry');
  if (entries.length > MAX_SOURCE_SCOPES)
    throw new FrontingInvalid(`scope_map has at most ${MAX_SOURCE_SCOPES} entries`);
  for (const [from, to] of entries) {
    if (!declares(source, from)) throw new FrontingInvalid(`scope ${from} is not declared by ${source.slug}`);
    if (to.length === 0) throw new FrontingInvalid(`scope ${from} maps to nothing`);
    const stranger = to.find((scope) => !declares(target, scope));
    if (stranger !== undefined) throw new FrontingInvalid(`scope ${stranger} is not declared by ${target.slug}`);
  }
}

const declares = ({ scopes }: Resource, scope: string): boolean => scopes.some(({ name }) => name === scope);
