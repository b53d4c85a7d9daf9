import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { BrokerModule } from '../broker/broker.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { AccountController } from './account.controller.js';

/**
 * Portal — a person's own page (W52).
 * Owns: GET /account and the forms on it: connected apps, connected accounts, sessions, password.
 * Not here: what withdrawing a consent ends (consents/), how a browser becomes signed in (accounts/), how accounts are connected
 * (broker/, whose list is shown here).
 * Holds always: a person sees and ends only what is theirs; every change is a POST of our own form, answered by 303.
 */
@Module({ imports: [AccountsModule, ConsentsModule, BrokerModule], controllers: [AccountController] })
export class PortalModule {}
