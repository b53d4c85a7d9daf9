import { Injectable } from '@nestjs/common';
import { isResourceUri } from '#libs/oauth';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { uuid7 } from '../platform/uuid7.js';
import { linkName, type FrontingLink } from './fronting-link.js';
import { FrontingStore } from './fronting.store.js';
import type { Resource, ResourcePolicy, ResourceScope } from './resource.js';
import { ResourceStore } from './resource.store.js';

/** What an operator or the configuration says about a resource; what is absent gets its default. */
export interface ResourceDraft {
  slug: string;
  uri?: string;
  backendKind: 'mint' | 'broker';
  brokerProviderId?: string;
  displayName?: string;
  scopes?: readonly ResourceScope[];
  policy?: Partial<ResourcePolicy>;
  dpopRequired?: boolean;
  accessTokenTtlSeconds?: number;
}

/** A change: an absent member stays as it is, `null` takes the value away. */
export type ResourceChange = {
  [K in keyof Omit<ResourceDraft, 'uri' | 'brokerProviderId' | 'accessTokenTtlSeconds'>]?: ResourceDraft[K];
} & { uri?: string | null; brokerProviderId?: string | null; accessTokenTtlSeconds?: number | null };

export class ResourceNotFound extends Error {}
export class ResourceInvalid extends Error {}
/** Fronting links lead from or to it. */
export class ResourceFronted extends Error {
  constructor(readonly dependents: readonly FrontingLink[]) {
    super('fronting links depend on this resource');
  }
}
/** Another resource has this slug or URI already. */
export class ResourceTaken extends Error {
  constructor(readonly member: 'slug' | 'uri') {
    super(`another resource has this ${member}`);
  }
}

const NO_POLICY: ResourcePolicy = {
  exchange: { allowedClientIds: [] },
  runtime: { clientIds: [] },
  connect: { allowedReturnUrls: [] },
};
const SLUG = /^[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?$/;
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;
/** Without the comma that some providers separate by. */
const UPSTREAM_SCOPE = /^[\x21\x23-\x2b\x2d-\x5b\x5d-\x7e]{1,200}$/;
const MAX_SCOPES = 100;
/** What is read by whoever asks who may have tokens, in every replica, ends with a new policy epoch (S6). */
@Injectable()
export class ResourceRegistry {
  constructor(
    private readonly store: ResourceStore,
    private readonly fronting: FrontingStore,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  list(): Promise<Resource[]> {
    return this.store.all();
  }

  /** @throws ResourceInvalid, ResourceTaken */
  async create(draft: ResourceDraft): Promise<Resource> {
    const now = this.clock.now();
    const resource: Resource = {
      ...draft,
      id: uuid7(now),
      displayName: draft.displayName ?? '',
      scopes: draft.scopes ?? [],
      policy: { ...NO_POLICY, ...draft.policy },
      dpopRequired: draft.dpopRequired ?? false,
      createdAt: now,
      updatedAt: now,
    };
    return this.store.transaction(async (tx) => {
      await this.#store(tx, resource);
      await this.audit.record(tx, { action: 'resource.created', detail: { id: resource.id, slug: resource.slug } });
      return resource;
    });
  }

  /**
   * @param decide the change, or what makes it from the resource as it is: then under its lock, so that no other change is lost
   * @param told what the audit says instead of `resource.patched`
   * @throws ResourceNotFound, ResourceInvalid, ResourceTaken
   */
  async patch(
    id: string,
    decide: ResourceChange | ((known: Resource) => ResourceChange),
    told?: AuditFact,
  ): Promise<Resource> {
    return this.store.transaction(async (tx) => {
      const known = await this.store.lock(tx, id);
      if (!known) throw new ResourceNotFound();
      const change = typeof decide === 'function' ? decide(known) : decide;
      const { uri, brokerProviderId, accessTokenTtlSeconds, policy, ...rest } = change;
      const resource: Resource = {
        ...known,
        ...present(rest),
        uri: uri === undefined ? known.uri : (uri ?? undefined),
        brokerProviderId: brokerProviderId === undefined ? known.brokerProviderId : (brokerProviderId ?? undefined),
        accessTokenTtlSeconds:
          accessTokenTtlSeconds === undefined ? known.accessTokenTtlSeconds : (accessTokenTtlSeconds ?? undefined),
        policy: { ...known.policy, ...policy },
        updatedAt: this.clock.now(),
      };
      if (resource.backendKind !== known.backendKind) await this.#requireUnlinked(tx, id);
      await this.#store(tx, resource);
      if (resource.uri !== known.uri) await this.store.endConsents(tx, id, resource.updatedAt);
      const fields = Object.keys(change);
      const fact = told ?? { action: 'resource.patched', detail: { id, slug: resource.slug, fields } };
      await this.audit.record(tx, fact);
      return resource;
    });
  }

  /**
   * @param cascade also the links that lead from or to it
   * @throws ResourceNotFound, ResourceFronted
   */
  async remove(id: string, { cascade = false }: { cascade?: boolean } = {}): Promise<void> {
    await this.store.transaction(async (tx) => {
      await this.fronting.lock(tx);
      const known = await this.store.lock(tx, id);
      if (!known) throw new ResourceNotFound();
      const links = (await this.fronting.all(tx)).filter(({ sourceId, targetId }) => [sourceId, targetId].includes(id));
      if (links.length > 0 && !cascade) throw new ResourceFronted(links);
      for (const link of links) await this.fronting.remove(tx, link);
      if (!(await this.store.remove(tx, id))) throw new ResourceNotFound();
      await bumpPolicyEpoch(tx);
      await this.audit.record(tx, {
        action: 'resource.deleted',
        detail: { id, slug: known.slug, ...(links.length > 0 && { links: links.map(linkName) }) },
      });
    });
  }

  async #store(tx: Transaction, resource: Resource): Promise<void> {
    const problem = this.#problemOf(resource);
    if (problem !== undefined) throw new ResourceInvalid(problem);
    const wrong = await this.store.save(tx, resource);
    if (wrong === 'broker_provider_id') throw new ResourceInvalid('broker_provider_id is no provider');
    if (wrong) throw new ResourceTaken(wrong);
    await bumpPolicyEpoch(tx);
  }

  /** Links lead from mint resources, and were made for the kind that there was. */
  async #requireUnlinked(tx: Transaction, id: string): Promise<void> {
    const links = (await this.fronting.all(tx)).filter(({ sourceId, targetId }) => [sourceId, targetId].includes(id));
    if (links.length > 0) throw new ResourceFronted(links);
  }

  #problemOf(resource: Resource): string | undefined {
    const { slug, uri, backendKind, brokerProviderId, scopes, accessTokenTtlSeconds } = resource;
    if (!SLUG.test(slug)) return 'slug must be 1 to 64 of a-z, 0-9, dot, dash and underscore';
    if (uri === undefined) return `uri is required for a ${backendKind} resource`;
    if (backendKind === 'broker' && brokerProviderId === undefined)
      return 'broker_provider_id or broker_provider_slug is required for a broker resource';
    if (backendKind === 'mint' && brokerProviderId !== undefined)
      return 'broker_provider_id is for broker resources only';
    if (scopes.some(({ upstream }) => upstream !== undefined && !UPSTREAM_SCOPE.test(upstream)))
      return 'upstream of a scope is one word of 1 to 200 printable characters without space, comma, quote and backslash';
    if (!isResourceUri(uri)) return 'uri must be an absolute URI without fragment or userinfo';
    if (uri.replace(/\/$/, '') === this.config.server.issuer) return 'uri must not be the issuer itself';
    if (scopes.length > MAX_SCOPES) return `scopes must be at most ${MAX_SCOPES}`;
    if (!scopes.every(({ name }) => SCOPE.test(name)))
      return 'scope names are 1 to 128 printable characters without space, quote and backslash';
    if (new Set(scopes.map(({ name }) => name)).size !== scopes.length) return 'scope names must differ';
    if (scopes.some(({ name }) => name === 'offline_access'))
      return 'offline_access is accepted everywhere and cannot be declared';
    if (accessTokenTtlSeconds !== undefined && (accessTokenTtlSeconds < 1 || accessTokenTtlSeconds > 86_400)) {
      return 'access_token_ttl must be 1 to 86400 seconds';
    }
    return undefined;
  }
}

const present = <T extends object>(change: T): Partial<T> =>
  Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined)) as Partial<T>;
