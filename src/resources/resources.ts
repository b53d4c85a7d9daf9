import { Injectable, type OnModuleInit } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { FrontingStore } from './fronting.store.js';
import { isBroker, isMint, ResourceSnapshot, type BrokerResource, type MintResource } from './resource.js';
import { ResourceStore } from './resource.store.js';

/**
 * Looks resources up. They are few and change seldom, so all of them are kept in memory, and one cheap read per request tells
 * whether the copy is still of the current policy epoch.
 */
@Injectable()
export class Resources implements OnModuleInit {
  #known = new ResourceSnapshot(0, []);

  constructor(
    private readonly store: ResourceStore,
    private readonly links: FrontingStore,
  ) {}

  async onModuleInit(): Promise<void> {
    await this.current();
  }

  /** All resources as of now. @throws DatabaseAway */
  async current(): Promise<ResourceSnapshot> {
    const epoch = await this.store.epoch();
    if (epoch !== this.#known.epoch) {
      const [all, links] = await Promise.all([this.store.all(), this.links.all()]);
      this.#known = new ResourceSnapshot(epoch, all, links);
    }
    return this.#known;
  }

  /** The copy in memory, for who has its epoch verified before anything follows from it (S6). */
  lastKnown(): ResourceSnapshot {
    return this.#known;
  }

  /** The copy in memory, for documents that are served even while the database is away. */
  async currentOrLastKnown(): Promise<ResourceSnapshot> {
    return this.current().catch(() => this.#known);
  }
}

/**
 * The Mint resource that a request names.
 *
 * @throws OAuthError `invalid_target` (RFC 8707 §2); a near miss may be named to anyone, since PRM publishes the URI (W51)
 */
export function requireMint(resources: ResourceSnapshot, uri: string): MintResource {
  const resource = requireTarget(resources, uri);
  if (isMint(resource)) return resource;
  throw new OAuthError('resource-not-mint', 'resource_not_mint', { facts: { resource: uri } });
}

/** As `requireMint`, where upstream's tokens may be had, too. */
export function requireTarget(resources: ResourceSnapshot, uri: string): MintResource | BrokerResource {
  const resource = resources.byUri(uri);
  if (isMint(resource) || isBroker(resource)) return resource;
  const near = resources.nearest(uri);
  if (near?.uri === undefined)
    throw new OAuthError('resource-unknown', 'resource_unknown', { facts: { received: uri } });
  throw new OAuthError('resource-unknown', 'resource_near_miss', {
    fill: { hint: `; registered as ${near.uri}` },
    facts: { received: uri, expected: near.uri },
  });
}
