import { isNearMiss, normalResource } from '#libs/oauth';
import type { FrontingLink } from './fronting-link.js';

/** One permission of a resource. `name` is never parsed. */
export interface ResourceScope {
  readonly name: string;
  readonly description: string;
  /** The provider's name for it, on broker resources. */
  readonly upstream?: string;
  /** Whether its box on the consent page starts ticked when a client names no scope. */
  readonly default: boolean;
}

export interface ResourcePolicy {
  /** Who may exchange tokens into this resource. Empty: any client, for tokens issued to itself. */
  readonly exchange: { readonly allowedClientIds: readonly string[] };
  /** Who acts as this resource: introspection, attestation, fronting. Empty: nobody. */
  readonly runtime: { readonly clientIds: readonly string[] };
  readonly connect: { readonly allowedReturnUrls: readonly string[] };
}

export interface Resource {
  readonly id: string;
  readonly slug: string;
  /** RFC 8707 identifier and `aud`, in the registered spelling. */
  readonly uri?: string;
  readonly backendKind: 'mint' | 'broker';
  readonly brokerProviderId?: string;
  readonly displayName: string;
  readonly scopes: readonly ResourceScope[];
  readonly policy: ResourcePolicy;
  /** No token for it without a proof (RFC 9728 `dpop_bound_access_tokens_required`). */
  readonly dpopRequired: boolean;
  readonly accessTokenTtlSeconds?: number;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A resource that a request can name. */
export type Audience = Resource & { readonly uri: string };

/** One that tokens can be minted for. */
export type MintResource = Audience & { readonly backendKind: 'mint' };

/** One behind which a provider stands, whose own tokens are handed out. */
export type BrokerResource = Audience & { readonly backendKind: 'broker' };

export const isMint = (resource: Resource | undefined): resource is MintResource =>
  resource?.backendKind === 'mint' && resource.uri !== undefined;

export const isBroker = (resource: Resource | undefined): resource is BrokerResource =>
  resource?.backendKind === 'broker' && resource.uri !== undefined;

/** What to call a resource on a page. */
export const resourceLabel = (resource: Resource): string => resource.displayName || resource.slug;

/** All resources as they were at one policy epoch. A statement that stores a decision verifies the epoch (S6). */
export class ResourceSnapshot {
  readonly #byUri = new Map<string, Resource>();
  readonly #bySlug = new Map<string, Resource>();
  readonly #byId = new Map<string, Resource>();
  readonly #links = new Map<string, FrontingLink>();

  constructor(
    readonly epoch: number,
    readonly all: readonly Resource[],
    links: readonly FrontingLink[] = [],
  ) {
    for (const link of links) this.#links.set(`${link.sourceId} ${link.targetId}`, link);
    for (const resource of all) {
      this.#bySlug.set(resource.slug, resource);
      this.#byId.set(resource.id, resource);
      const normal = resource.uri === undefined ? undefined : normalResource(resource.uri);
      if (normal !== undefined) this.#byUri.set(normal, resource);
    }
  }

  /** Byte for byte, but for the slash of an empty path (W11). */
  byUri(uri: string): Resource | undefined {
    const normal = normalResource(uri);
    return normal === undefined ? undefined : this.#byUri.get(normal);
  }

  bySlug(slug: string): Resource | undefined {
    return this.#bySlug.get(slug);
  }

  byId(id: string): Resource | undefined {
    return this.#byId.get(id);
  }

  /** What leads from a token of one resource to a token of the other, if a link does. */
  link(sourceId: string, targetId: string): FrontingLink | undefined {
    return this.#links.get(`${sourceId} ${targetId}`);
  }

  /** The resource whose URI `uri` only just misses (W51). */
  nearest(uri: string): Resource | undefined {
    return this.all.find((resource) => resource.uri !== undefined && isNearMiss(resource.uri, uri));
  }
}
