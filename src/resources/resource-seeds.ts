import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '../config/config.js';
import { ResourceRegistry, ResourceTaken } from './resource-registry.js';

/**
 * Creates the resources of the configuration whose slug does not exist yet; what exists is the operator's to change (wire §8.3).
 * Broker resources need their provider first: `broker/` creates them.
 */
@Injectable()
export class ResourceSeeds implements OnApplicationBootstrap {
  readonly #log = new Logger(ResourceSeeds.name);

  constructor(
    private readonly config: Config,
    private readonly registry: ResourceRegistry,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const known = new Set((await this.registry.list()).map(({ slug }) => slug));
    const wanted = this.config.resources.filter(({ slug, backendKind }) => backendKind === 'mint' && !known.has(slug));
    for (const seed of wanted) {
      try {
        await this.registry.create(seed);
        this.#log.log(`resource ${seed.slug} created from the configuration`);
      } catch (error) {
        // Another replica may have been faster; a URI that is taken is a mistake the operator must hear of.
        if (!(error instanceof ResourceTaken)) throw error;
        if (error.member === 'uri')
          this.#log.warn(`resource ${seed.slug} not created: its uri belongs to another resource`);
      }
    }
  }
}
