import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { ResourcesModule } from '../resources/resources.module.js';
import { BrokerSeeds } from './broker-seeds.js';
import { ConnectLinks } from './connect-links.js';
import { ConnectionConsentEntity } from './connection-consent.entity.js';
import { ConnectionConsentStore } from './connection-consent.store.js';
import { ConnectionEntity } from './connection.entity.js';
import { ConnectionStore } from './connection.store.js';
import { CredentialVault } from './credential-vault.js';
import { Connectors } from './connectors/connectors.js';
import { ApiKeyConnector } from './connectors/api-key.connector.js';
import { OAuthConnector } from './connectors/oauth.connector.js';
import { JwtBearerConnector } from './connectors/jwt-bearer.connector.js';
import { UpstreamCalls } from './connectors/upstream-calls.js';
import { ProviderEntity } from './provider.entity.js';
import { ProviderRegistry } from './provider-registry.js';
import { ProviderSecrets } from './provider-secrets.js';
import { ProviderStore } from './provider.store.js';
import { Providers } from './providers.js';

/**
 * Broker — people's accounts at upstream providers, and the tokens agents get of them.
 * Owns: providers, connections, connection consents, the connect flow, the vault, vending; connectors/ one file per upstream protocol.
 * Not here: whether a client may exchange into a resource (grants/), how values are sealed (encryption/).
 * Holds always: a credential lies sealed for one person, provider and row, and leaves only towards upstream; what is vended was allowed
 * by the person for that MCP server; a refresh is made by one at a time, and its answer is stored before anybody sees it.
 * Jobs: upstream-revocation tells upstream what is over.
 */
@Module({
  imports: [TypeOrmModule.forFeature([ProviderEntity, ConnectionEntity, ConnectionConsentEntity]), ResourcesModule],
  providers: [
    BrokerSeeds,
    ProviderStore,
    Providers,
    ProviderRegistry,
    ProviderSecrets,
    UpstreamCalls,
    OAuthConnector,
    ApiKeyConnector,
    JwtBearerConnector,
    Connectors,
    ConnectionStore,
    ConnectionConsentStore,
    CredentialVault,
    ConnectLinks,
  ],
  exports: [Providers, ProviderRegistry, Connectors, ConnectLinks],
})
export class BrokerModule {}
