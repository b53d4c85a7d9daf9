import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BrokerModule } from '../broker/broker.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { TokensModule } from '../tokens/tokens.module.js';
import { AccountController } from './account.controller.js';
import { BackchannelLogoutController } from './backchannel-logout.controller.js';

/**
 * Portal — a person's own page (W52), and the door by which an identity provider ends what is a person's here.
 * Owns: GET /account and the forms on it: connected apps, connected accounts, sessions, password; POST /oidc/…/backchannel-logout.
 * Not here: what withdrawing a consent ends (consents/), how a browser becomes signed in (accounts/), how accounts are connected
 * (broker/, whose list is shown here).
 * Holds always: a person sees and ends only what is theirs; every change is a POST of our own form, answered by 303.
 */
@Module({
  imports: [AccountsModule, ConsentsModule, BrokerModule, TokensModule],
  controllers: [AccountController, BackchannelLogoutController],
})
export class PortalModule {}
