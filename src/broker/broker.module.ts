import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AccountsModule } from '../accounts/accounts.module.js';
import { ClientsModule } from '../clients/clients.module.js';
import { Config } from '../config/config.js';
import { Breakers } from '../platform/breaker/breakers.js';
import { Clock } from '../platform/clock/clock.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { HostBreakers } from '../platform/http-client/host-breakers.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { AccessTokenCache } from './access-token-cache.js';
import { BrokerSeeds } from './broker-seeds.js';
import { ConnectAsking } from './connect-asking.js';
import { ConnectDecision } from './connect-decision.js';
import { ConnectFlow } from './connect-flow.js';
import { ConnectFlowStore } from './connect-flow.store.js';
import { ConnectLinks } from './connect-links.js';
import { ConnectPlans } from './connect-plan.js';
import { ConnectPurposes } from './connect-purposes.js';
import { ConnectResults } from './connect-results.js';
import { ConnectController } from './connect.controller.js';
import { ConnectionConsentEntity } from './connection-consent.entity.js';
import { ConnectionConsentStore } from './connection-consent.store.js';
import { ConnectionConsents } from './connection-consents.js';
import { ConnectionGate } from './connection-gate.js';
import { ConnectionViewStore } from './connection-view.store.js';
import { ConnectionViews } from './connection-views.js';
import { ConnectionEntity } from './connection.entity.js';
import { ConnectionStore } from './connection.store.js';
import { ConnectionsController } from './connections.controller.js';
import { Connections } from './connections.js';
import { ApiKeyConnector } from './connectors/api-key.connector.js';
import { Connectors } from './connectors/connectors.js';
import { OAuthConnector } from './connectors/oauth.connector.js';
import { JwtBearerConnector } from './connectors/jwt-bearer.connector.js';
import { UpstreamCalls } from './connectors/upstream-calls.js';
import { CredentialRefresh } from './credential-refresh.js';
import { CredentialVault } from './credential-vault.js';
import { CredentialStore } from './credential.store.js';
import { OperatorTokens } from './operator-tokens.js';
import { OwnConnections } from './own-connections.js';
import { OverdueRevocationsJob } from './overdue-revocations.job.js';
import { ProviderRegistry } from './provider-registry.js';
import { ProviderSecrets } from './provider-secrets.js';
import { ProviderEntity } from './provider.entity.js';
import { ProviderStore } from './provider.store.js';
import { Providers } from './providers.js';
import { ReturnUrls } from './return-urls.js';
import { TokenVendor } from './token-vendor.js';
import { UpstreamRevocationJob } from './upstream-revocation.job.js';
import { UpstreamTokens } from './upstream-tokens.js';
import { VendStore } from './vend.store.js';

/**
 * Broker — people's accounts at upstream providers, and the tokens agents get of them.
 * Owns: providers, connections, connection consents, the connect flow, the vault, vending; connectors/ one file per upstream protocol.
 * Not here: whether a client may exchange into a resource (grants/), how values are sealed (encryption/).
 * Holds always: a credential lies sealed for one person, provider and row, and leaves only towards upstream; what is vended was allowed
 * by the person for that MCP server; a refresh is made by one at a time, and its answer is stored before anybody sees it.
 * Jobs: upstream-revocation tells upstream what is over.
 */
@Module({
  imports: [
    TypeOrmModule.forFeature([ProviderEntity, ConnectionEntity, ConnectionConsentEntity]),
    AccountsModule,
    ClientsModule,
    ResourcesModule,
  ],
  controllers: [ConnectController, ConnectionsController],
  providers: [
    BrokerSeeds,
    ProviderStore,
    Providers,
    ProviderRegistry,
    ProviderSecrets,
    // A way out of its own: upstreams that hang must not be in the way of clients' documents and keys.
    {
      provide: UpstreamCalls,
      useFactory: (clock: Clock, config: Config, breakers: Breakers) =>
        new UpstreamCalls(new GuardedFetch(undefined, new HostBreakers(breakers)), clock, config),
      inject: [Clock, Config, Breakers],
    },
    OAuthConnector,
    ApiKeyConnector,
    JwtBearerConnector,
    Connectors,
    CredentialVault,
    ConnectionStore,
    ConnectionViewStore,
    ConnectionViews,
    ConnectionConsentStore,
    ConnectionConsents,
    Connections,
    OwnConnections,
    ConnectLinks,
    ConnectPlans,
    ConnectPurposes,
    ConnectResults,
    ConnectAsking,
    ConnectFlowStore,
    ConnectFlow,
    ConnectDecision,
    ReturnUrls,
    ConnectionGate,
    CredentialStore,
    CredentialRefresh,
    AccessTokenCache,
    UpstreamTokens,
    OperatorTokens,
    VendStore,
    TokenVendor,
    UpstreamRevocationJob,
    OverdueRevocationsJob,
  ],
  exports: [
    Providers,
    ProviderRegistry,
    Connectors,
    ConnectLinks,
    Connections,
    ConnectionViews,
    OwnConnections,
    ConnectionGate,
    TokenVendor,
  ],
})
export class BrokerModule {}
