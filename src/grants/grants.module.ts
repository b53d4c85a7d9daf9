import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { AuthorizeModule } from '../authorize/authorize.module.js';
import { BrokerModule } from '../broker/broker.module.js';
import { ClientsModule } from '../clients/clients.module.js';
import { DpopModule } from '../dpop/dpop.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { XaaModule } from '../xaa/xaa.module.js';
import { ConsentGate } from './consent-gate.js';
import { ExchangeTokens } from './exchange-tokens.js';
import type { Grant } from './grant.js';
import { GRANTS, Grants } from './grants.js';
import { Grounds } from './grounds.js';
import { IdJagExchange } from './id-jag-exchange.js';
import { LeanTokenEndpoint } from './lean-token-endpoint.js';
import { PersonBounds } from './person-bounds.js';
import { TokenController } from './token.controller.js';
import { TokenEndpoint } from './token-endpoint.js';

/**
 * Grants — POST /oauth/token: what proves that a client may have tokens.
 * Owns: the phases of the endpoint, and one file per grant type. Not here: issuing and spending (tokens/), who the client is (clients/).
 * Holds always: a grant only reads; every shared check is the endpoint's, so that no grant can forget it; a refused request has
 * spent nothing.
 * RFC 6749 §4, §6 · RFC 7523 · RFC 8693 · RFC 7636 · RFC 8707 · RFC 9449 §5.
 */
@Module({
  imports: [
    AccountsModule,
    AuthorizeModule,
    BrokerModule,
    ClientsModule,
    ConsentsModule,
    DpopModule,
    ResourcesModule,
    TokensModule,
    XaaModule,
  ],
  controllers: [TokenController],
  providers: [
    ExchangeTokens,
    PersonBounds,
    IdJagExchange,
    ConsentGate,
    ...GRANTS,
    { provide: Grants, useFactory: (...grants: Grant[]) => new Grants(...grants), inject: [...GRANTS] },
    Grounds,
    TokenEndpoint,
    LeanTokenEndpoint,
  ],
  exports: [Grants],
})
export class GrantsModule {}
