import { Module, type DynamicModule } from '@nestjs/common';
import { AccountsModule } from './accounts/accounts.module.js';
import { sealedIdentityColumn } from './accounts/identity-vault.js';
import { sealedProviderColumn } from './accounts/sign-in-provider-secrets.js';
import { AdminModule } from './admin/admin.module.js';
import { AuditModule } from './audit/audit.module.js';
import { AuthorizeModule } from './authorize/authorize.module.js';
import { BrokerModule } from './broker/broker.module.js';
import { brokerSealedColumns } from './broker/credential-vault.js';
import { ClientsModule } from './clients/clients.module.js';
import type { Config } from './config/config.js';
import { ConfigModule } from './config/config.module.js';
import { ConsentsModule } from './consents/consents.module.js';
import { DiagnosticsModule } from './diagnostics/diagnostics.module.js';
import { DiscoveryModule } from './discovery/discovery.module.js';
import { DpopModule } from './dpop/dpop.module.js';
import { Encryption } from './encryption/encryption.js';
import { EncryptionModule } from './encryption/encryption.module.js';
import { ReencryptionModule } from './encryption/reencryption.module.js';
import { GrantsModule } from './grants/grants.module.js';
import { KeysModule } from './keys/keys.module.js';
import { sealedKeyColumn } from './keys/sealed-private-keys.js';
import type { Clock } from './platform/clock/clock.js';
import { BreakerModule } from './platform/breaker/breaker.module.js';
import { ClockModule } from './platform/clock/clock.module.js';
import { EphemeralModule } from './platform/ephemeral/ephemeral.module.js';
import { HealthModule } from './platform/health/health.module.js';
import { HttpClientModule } from './platform/http-client/http-client.module.js';
import { HttpModule } from './platform/http/http.module.js';
import { OutboxModule } from './platform/outbox/outbox.module.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { PostgresModule } from './platform/postgres/postgres.module.js';
import { QueueModule } from './platform/queue/queue.module.js';
import { RetentionModule } from './platform/retention/retention.module.js';
import { TelemetryModule } from './platform/telemetry/telemetry.module.js';
import { PortalModule } from './portal/portal.module.js';
import { ResourcesModule } from './resources/resources.module.js';
import { TokensModule } from './tokens/tokens.module.js';
import { WebhooksModule } from './webhooks/webhooks.module.js';
import { XaaModule } from './xaa/xaa.module.js';

/** What the application is made from; a test brings its own clock. */
export interface Foundation {
  config: Config;
  connection: PostgresConnection;
  clock?: Clock;
}

/**
 * The composition root: the list of modules, in the order in which they may know each other.
 * Owns: nothing. Not here: anything that could be a module's.
 */
@Module({})
export class AppModule {
  static of({ config, connection, clock }: Foundation): DynamicModule {
    return {
      module: AppModule,
      imports: [
        ConfigModule.of(config),
        ClockModule.of(clock),
        TelemetryModule,
        PostgresModule.of(connection, config.storage.postgres),
        BreakerModule,
        EphemeralModule,
        QueueModule.of(connection),
        OutboxModule,
        RetentionModule,
        HttpClientModule,
        HttpModule,
        HealthModule,
        AuditModule,
        WebhooksModule,
        EncryptionModule,
        ReencryptionModule.of([sealedKeyColumn, ...brokerSealedColumns, sealedIdentityColumn, sealedProviderColumn]),
        KeysModule.sealedBy(Encryption),
        ResourcesModule,
        AccountsModule,
        ClientsModule,
        DpopModule,
        ConsentsModule,
        TokensModule,
        AuthorizeModule,
        BrokerModule,
        XaaModule,
        GrantsModule,
        DiscoveryModule,
        DiagnosticsModule,
        PortalModule,
        AdminModule,
      ],
    };
  }
}
