import { Module } from '@nestjs/common';
import { AccountsModule } from '../accounts/accounts.module.js';
import { ConsentsModule } from '../consents/consents.module.js';
import { AccountController } from './account.controller.js';

/**
 * Portal — a person's own page (W52).
 * Owns: GET /account and the forms on it: connected apps, sessions, password.
 * Not here: what withdrawing a consent ends (consents/), how a browser becomes signed in (accounts/), upstream connections
 * (broker/, which will show theirs here).
 * Holds always: a person sees and ends only what is theirs; every change is a POST of our own form, answered by 303.
 */
@Module({ imports: [AccountsModule, ConsentsModule], controllers: [AccountController] })
export class PortalModule {}
