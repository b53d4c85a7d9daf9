import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import * as oidc from 'openid-client';
import { OAuthError } from '#libs/oauth';
import { BrowserSessions } from './browser-sessions.js';
import { FederatedAccounts } from './federated-accounts.js';
import type { IdentityProvider } from './identity-provider.js';
import type { NewStanding } from './identity-standing.js';
import { IdentityVault } from './identity-vault.js';
import { SignInStates } from './sign-in-state.js';
import { UpstreamPerson, type Arrived } from './upstream-person.js';

export interface Beginning {
  /** The sealed request to go on with afterwards. */
  readonly request?: string;
  /** What the person typed, for the provider to fill in. */
  readonly email?: string;
}

/**
 * Signing in at the company's identity provider: authorization code with PKCE and nonce (OpenID Connect Core §3.1), begun and
 * ended by the same browser.
 */
@Injectable()
export class Federation {
  constructor(
    private readonly person: UpstreamPerson,
    private readonly states: SignInStates,
    private readonly accounts: FederatedAccounts,
    private readonly vault: IdentityVault,
    private readonly sessions: BrowserSessions,
  ) {}

  /** @returns where the browser goes */
  async begin(req: Request, res: Response, provider: IdentityProvider, from: Beginning): Promise<string> {
    const configuration = await this.person.configurationOf(provider);
    const { state, pending } = this.states.begin(req, res, provider, from.request);
    const asked: Record<string, string | undefined> = {
      ...provider.authorizationParameters,
      redirect_uri: provider.redirectUri,
      scope: scopeOf(provider, configuration),
      state,
      nonce: pending.nonce,
      code_challenge: createHash('sha256').update(pending.codeVerifier).digest('base64url'),
      code_challenge_method: 'S256',
      connector_id: provider.connectorId,
      // A hint for the page there; what comes back is checked.
      hd: provider.hostedDomains.length === 1 ? provider.hostedDomains[0] : undefined,
      login_hint: from.email,
    };
    const given = Object.entries(asked).filter((entry): entry is [string, string] => entry[1] !== undefined);
    return oidc.buildAuthorizationUrl(configuration, Object.fromEntries(given)).href;
  }

  /**
   * Signs the browser in that comes back.
   *
   * @param query of the callback, as it came
   * @returns the request to go on with
   * @throws OAuthError for a page
   */
  async finish(
    req: Request,
    res: Response,
    provider: IdentityProvider,
    query: URLSearchParams,
  ): Promise<string | undefined> {
    const pending = await this.states.spend(req, query.get('state') ?? '', provider);
    const arrived = await this.person.arrived(provider, query, pending);
    const { user, identityId } = await this.accounts.of(provider, arrived.claims);
    const facts = [{ action: 'user.oidc_login', actorId: user.id, detail: { provider: provider.slug } }];
    const standing = await this.#standingOf(provider, { userId: user.id, identityId }, arrived);
    if (!(await this.sessions.start(req, res, user, { facts, standing })))
      throw new OAuthError('sign-in-not-allowed', 'user_disabled', { facts: { provider: provider.slug } });
    return pending.request;
  }

  /**
   * Where a browser goes to be signed out at the provider, too (OpenID Connect RP-Initiated Logout §2). Whoever cannot be asked
   * keeps nobody from signing out here.
   *
   * @param request to go on with afterwards
   * @returns undefined when the provider knows no such page or is not to be asked
   */
  async endSessionUrl(provider: IdentityProvider, loginUrl: string, request?: string): Promise<string | undefined> {
    if (!provider.logoutUpstream) return undefined;
    const configuration = await this.person.configurationOf(provider).catch(() => undefined);
    if (!configuration?.serverMetadata().end_session_endpoint) return undefined;
    const parameters = new URLSearchParams({ post_logout_redirect_uri: loginUrl });
    if (request !== undefined) parameters.set('state', request);
    return oidc.buildEndSessionUrl(configuration, parameters).href;
  }

  /** A refresh token is kept only where it is for something. */
  async #standingOf(
    { slug, recheckSeconds }: IdentityProvider,
    place: { readonly userId: string; readonly identityId: string },
    { groups, refreshToken, sessionId }: Arrived,
  ): Promise<NewStanding> {
    const { identityId } = place;
    const standing = { identityId, provider: slug, groups, sessionId, rechecks: recheckSeconds !== undefined };
    if (!standing.rechecks || refreshToken === undefined) return standing;
    return { ...standing, sealedRefreshToken: await this.vault.seal(place, refreshToken) };
  }
}

function scopeOf(
  { scopes, includeGroupsScope, recheckSeconds }: IdentityProvider,
  configuration: oidc.Configuration,
): string {
  const known = configuration.serverMetadata().scopes_supported ?? [];
  const groups = includeGroupsScope && known.includes('groups') ? ['groups'] : [];
  const offline = recheckSeconds !== undefined && known.includes('offline_access') ? ['offline_access'] : [];
  return [...new Set([...scopes, ...groups, ...offline])].join(' ');
}
