import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { BackchannelLogoutStore } from './backchannel-logout.store.js';
import { IdentityProviders } from './identity-providers.js';
import { LogoutTokens } from './logout-token.js';
import { UserStore } from './user.store.js';

/** Ends what an identity provider says has ended there (OpenID Connect Back-Channel Logout 1.0 §2.7). */
@Injectable()
export class BackchannelLogout {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly tokens: LogoutTokens,
    private readonly store: BackchannelLogoutStore,
    private readonly users: UserStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * A sign-out of somebody who has no session here is carried out, too.
   *
   * @param slug of the provider whose URL was called
   * @param endTokens of a person, where the provider's sign-out ends these as well
   * @throws OAuthError `logout-token-invalid`, or what keeps it from being judged
   */
  async end(
    slug: string,
    token: string,
    endTokens: (tx: Transaction, userId: string) => Promise<unknown>,
  ): Promise<void> {
    const provider = await this.providers.known(slug);
    if (!provider) throw new OAuthError('sign-in-provider-unknown', 'identity_provider_unknown');
    const logout = await this.tokens.read(provider, token);
    await this.store.transaction(async (tx) => {
      const key = createHash('sha256')
        .update(JSON.stringify(['logout-token', provider.issuer, provider.clientId, logout.jti]))
        .digest();
      if (!(await this.store.claim(tx, key, logout.refusedFrom, this.clock.now())))
        throw new OAuthError('logout-token-invalid', 'logout_token_replayed', { facts: { provider: slug } });
      const users = await this.store.usersOf(tx, provider, logout);
      for (const userId of users) await this.#lock(tx, userId, provider.logoutRevokesTokens);
      const sessions = await this.store.end(tx, provider, users, logout.sessionId);
      if (provider.logoutRevokesTokens) for (const userId of users) await endTokens(tx, userId);
      const detail = { provider: slug, sessions };
      await this.audit.record(tx, { action: 'user.backchannel_logout', actorId: users[0], detail });
    });
  }

  /** @param decidesAgain whether everybody who is about to store something for this person does (S6) */
  async #lock(tx: Transaction, userId: string, decidesAgain: boolean): Promise<void> {
    const user = await this.users.lock(tx, userId);
    if (user && decidesAgain) await this.users.update(tx, { ...user, version: user.version + 1 }, this.clock.now());
  }
}
