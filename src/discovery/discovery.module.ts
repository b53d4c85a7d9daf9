import { Module } from '@nestjs/common';
import { ClientsModule } from '../clients/clients.module.js';
import { DpopModule } from '../dpop/dpop.module.js';
import { GrantsModule } from '../grants/grants.module.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { DiscoveryController } from './discovery.controller.js';
import { ProtectedResourceController } from './protected-resource.controller.js';
import { ServerMetadata } from './server-metadata.js';

/**
 * Discovery — the documents from which a client learns everything else.
 * Owns: authorization-server metadata at every path variant, protected-resource metadata. Not here: the JWKS (keys/).
 * Holds always: a method or grant is listed only when it works and is enabled; a member is absent rather than null; the documents are
 * served while the database is away.
 * RFC 8414 · RFC 9728 · OpenID Connect Discovery §4.
 */
@Module({
  imports: [GrantsModule, ClientsModule, DpopModule, ResourcesModule],
  controllers: [DiscoveryController, ProtectedResourceController],
  providers: [ServerMetadata],
})
export class DiscoveryModule {}
