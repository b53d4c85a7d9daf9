import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { BackchannelLogout } from './backchannel-logout.js';
import { BackchannelLogoutStore } from './backchannel-logout.store.js';
import { BrowserSessions } from './browser-sessions.js';
import { Cookies } from './cookies.js';
import { Csrf } from './csrf.js';
import { FederatedAccounts } from './federated-accounts.js';
import { Federation } from './federation.js';
import { FlowCookie } from './flow-cookie.js';
import { GroupScopeRegistry } from './group-scope-registry.js';
import { GroupScopes } from './group-scopes.js';
import { GroupScopeStore } from './group-scope.store.js';
import { Identities } from './identities.js';
import { IdentityEntity } from './identity.entity.js';
import { IdentityStore } from './identity.store.js';
import { IdentityCheck } from './identity-check.js';
import { IdentityLinks } from './identity-links.js';
import { IdentityVault } from './identity-vault.js';
import { IdentityStandingStore } from './identity-standing.store.js';
import { IdentityProviders } from './identity-providers.js';
import { LoginController } from './login.controller.js';
import { LogoutController } from './logout.controller.js';
import { LogoutTokens } from './logout-token.js';
import { OidcClient } from './oidc-client.js';
import { OidcController } from './oidc.controller.js';
import { PasswordChange } from './password-change.js';
import { PasswordHashing } from './password-hashing.js';
import { Recheck } from './recheck.js';
import { SessionEntity } from './session.entity.js';
import { SessionStore } from './session.store.js';
import { SignInKeyRefreshJob } from './sign-in-key-refresh.job.js';
import { SignInProviderEntity } from './sign-in-provider.entity.js';
import { SignInProviderSecrets } from './sign-in-provider-secrets.js';
import { SignInProviderStore } from './sign-in-provider.store.js';
import { SignInProviders } from './sign-in-providers.js';
import { SignInStates } from './sign-in-state.js';
import { SignIn } from './sign-in.js';
import { SignInLimits } from './sign-in-limits.js';
import { UserEntity } from './user.entity.js';
import { StandingEnds } from './standing-ends.js';
import { UpstreamPerson } from './upstream-person.js';
import { UserStore } from './user.store.js';
import { Users } from './users.js';

/**
 * Accounts — people, and how a browser becomes theirs.
 * Owns: the tables users, identities, sessions, sign_in_providers and group_scopes; GET, POST /login, POST /logout and /oidc/…; CSRF
 * tokens and the flow cookie of every form; how people stand at identity providers, and asking these again.
 * Not here: what a person allowed (consents/), the page where they see it (portal/).
 * Holds always: a session is made only by a successful sign-in, under a new id, and ends with its user or password; every
 * refused password costs one verification and reads the same; where to go next is never a parameter; an e-mail links nobody; a
 * provider that is away says nothing about anybody.
 * Jobs: none; a sign-in sweeps the person's expired sessions.
 * RFC 9700 §4.7, §4.12, §4.16 · OpenID Connect Core §3.1, §12 · Back-Channel Logout 1.0.
 */
@Module({
  imports: [TypeOrmModule.forFeature([UserEntity, IdentityEntity, SessionEntity, SignInProviderEntity])],
  controllers: [LoginController, LogoutController, OidcController],
  providers: [
    UserStore,
    IdentityStore,
    SessionStore,
    Cookies,
    PasswordHashing,
    SignInLimits,
    Users,
    Identities,
    BrowserSessions,
    SignIn,
    PasswordChange,
    FlowCookie,
    Csrf,
    IdentityLinks,
    GroupScopeStore,
    GroupScopes,
    GroupScopeRegistry,
    SignInProviderStore,
    SignInProviderSecrets,
    SignInProviders,
    IdentityProviders,
    OidcClient,
    UpstreamPerson,
    IdentityStandingStore,
    StandingEnds,
    IdentityCheck,
    Recheck,
    LogoutTokens,
    BackchannelLogoutStore,
    BackchannelLogout,
    IdentityVault,
    SignInStates,
    FederatedAccounts,
    Federation,
    SignInKeyRefreshJob,
  ],
  exports: [
    Users,
    Identities,
    IdentityLinks,
    IdentityProviders,
    SignInProviders,
    GroupScopes,
    GroupScopeRegistry,
    BrowserSessions,
    BackchannelLogout,
    Recheck,
    SignIn,
    PasswordChange,
    FlowCookie,
    Csrf,
  ],
})
export class AccountsModule {}
