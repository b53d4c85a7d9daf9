import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { FrontingLinks } from './fronting-links.js';
import { FrontingStore } from './fronting.store.js';
import { ResourceEntity } from './resource.entity.js';
import { ResourceRegistry } from './resource-registry.js';
import { ResourceSeeds } from './resource-seeds.js';
import { ResourceStore } from './resource.store.js';
import { Resources } from './resources.js';

/**
 * Resources — what may be asked for, and who may act on it.
 * Owns: the tables resources and fronting_links: Mint and Broker resources, their scopes and policies, the links between them;
 * seeding from the configuration.
 * Not here: who allowed what (consents/), the protected-resource metadata (discovery/).
 * Holds always: a URI belongs to one resource, in its normal form; every change ends with a new policy epoch.
 * RFC 8707 · RFC 9728.
 */
@Module({
  imports: [TypeOrmModule.forFeature([ResourceEntity])],
  providers: [ResourceStore, FrontingStore, FrontingLinks, Resources, ResourceRegistry, ResourceSeeds],
  exports: [FrontingLinks, Resources, ResourceRegistry],
})
export class ResourcesModule {}
