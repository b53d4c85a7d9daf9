import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BrokerModule } from '../broker/broker.module.js';
import { ClientsModule } from '../clients/clients.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { GrantsModule } from '../grants/grants.module.js';
import { Readiness } from '../platform/health/readiness.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { XaaModule } from '../xaa/xaa.module.js';
import { AudiencesController } from './audiences.controller.js';
import { AuditController } from './audit.controller.js';
import { BrokerGrantsController } from './broker-grants.controller.js';
import { ClientsController } from './clients.controller.js';
import { ConsentGrantsController } from './consent-grants.controller.js';
import { EncryptionController } from './encryption.controller.js';
import { FrontingController } from './fronting.controller.js';
import { GroupScopesController } from './group-scopes.controller.js';
import { IdpsController } from './idps.controller.js';
import { IssuancesController } from './issuances.controller.js';
import { JobsController } from './jobs.controller.js';
import { KeysController } from './keys.controller.js';
import { LiveTokens } from './live-tokens.js';
import { ProvidersController } from './providers.controller.js';
import { RecordGauges } from './record-gauges.js';
import { ResourcePoliciesController } from './resource-policies.controller.js';
import { ResourcesController } from './resources.controller.js';
import { SettingsController } from './settings.controller.js';
import { SignInProvidersController } from './sign-in-providers.controller.js';
import { StatsStore } from './stats.store.js';
import { SystemController } from './system.controller.js';
import { SystemReport } from './system-report.js';
import { TokensController } from './tokens.controller.js';
import { UserTokensController } from './user-tokens.controller.js';
import { IdentitiesController } from './identities.controller.js';
import { UsersController } from './users.controller.js';
import { WebhooksController } from './webhooks.controller.js';
import { XaaController } from './xaa.controller.js';

/**
 * Admin — the operator's API on its own listener; uses every module, used by none.
 * Owns: /admin/**, its API key, what its requests and answers look like.
 * Not here: any decision. A controller reads a request, calls the module that knows, and shows what it says; that module also
 * writes the audit row, in the transaction that makes it true.
 * Holds always: nothing is looked at before the key is right; members that a DTO does not name are refused; no answer holds a
 * hash or a secret, but the one that makes a client's secret, once.
 * RFC 9457.
 */
@Module({
  imports: [
    AccountsModule,
    BrokerModule,
    ClientsModule,
    ConsentsModule,
    GrantsModule,
    ResourcesModule,
    TokensModule,
    XaaModule,
  ],
  controllers: [
    AudiencesController,
    AuditController,
    BrokerGrantsController,
    ClientsController,
    ConsentGrantsController,
    EncryptionController,
    FrontingController,
    GroupScopesController,
    IdpsController,
    IssuancesController,
    JobsController,
    KeysController,
    ProvidersController,
    ResourcePoliciesController,
    ResourcesController,
    SettingsController,
    SignInProvidersController,
    SystemController,
    TokensController,
    UserTokensController,
    UsersController,
    WebhooksController,
    XaaController,
    IdentitiesController,
  ],
  providers: [LiveTokens, StatsStore, RecordGauges, SystemReport, Readiness],
})
export class AdminModule {}
