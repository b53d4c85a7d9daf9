import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { ClientsModule } from '../clients/clients.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { ResourcesModule } from '../resources/resources.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { AuthorizationFlow } from './authorization-flow.js';
import { AuthorizeController } from './authorize.controller.js';
import { ConsentLinks } from './consent-links.js';
import { ConsentController } from './consent.controller.js';
import { ConsentDecision } from './consent-decision.js';
import { DecisionStore } from './decision.store.js';
import { LinkedConsent } from './linked-consent.js';
import { LinkedDecision } from './linked-decision.js';
import { RequestReader } from './request-reader.js';
import { SealedRequests } from './sealed-request.js';

/**
 * Authorize — the browser side: from an authorization request to a code.
 * Owns: GET /oauth/authorize, /consent. Not here: signing in (accounts/), what a consent is (consents/), redeeming the code (grants/).
 * Holds always: no redirect before client and redirect_uri are verified; nothing is stored before the person decides; consent and
 * code are one commit; a flow ends in the browser that began it.
 * RFC 6749 §4.1 · RFC 7636 · RFC 8707 · RFC 9207.
 */
@Module({
  imports: [AccountsModule, ClientsModule, ResourcesModule, ConsentsModule, TokensModule],
  controllers: [AuthorizeController, ConsentController],
  providers: [
    RequestReader,
    SealedRequests,
    AuthorizationFlow,
    ConsentDecision,
    DecisionStore,
    ConsentLinks,
    LinkedConsent,
    LinkedDecision,
  ],
  exports: [ConsentLinks],
})
export class AuthorizeModule {}
