import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import * as oidc from 'openid-client';
import { OAuthError } from '#libs/oauth';
import { BrowserSessions } from './browser-sessions.js';
import { FederatedAccounts } from './federated-accounts.js';
import type { IdentityProvider } from './identity-provider.js';
import { OidcClient } from './oidc-client.js';
import { signInErrorOf } from './oidc-errors.js';
import { SignInStates, type PendingSignIn } from './sign-in-state.js';

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
    private readonly client: OidcClient,
    private readonly states: SignInStates,
    private readonly accounts: FederatedAccounts,
    private readonly sessions: BrowserSessions,
  ) {}

  /** @returns where the browser goes */
  async begin(req: Request, res: Response, provider: IdentityProvider, from: Beginning): Promise<string> {
    const configuration = await this.#configurationOf(provider);
    const { state, pending } = this.states.begin(req, res, provider, from.request);
    const asked: Record<string, string | undefined> = {
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
    const state = query.get('state') ?? '';
    const pending = await this.states.spend(req, state, provider);
    const configuration = await this.#configurationOf(provider);
    const claims = await this.#claims(configuration, provider, query, state, pending);
    const user = await this.accounts.of(provider, claims);
    const facts = [{ action: 'user.oidc_login', actorId: user.id, detail: { provider: provider.slug } }];
    if (!(await this.sessions.start(req, res, user, { facts, identityProvider: provider.slug })))
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
    const configuration = await this.client.of(provider).catch(() => undefined);
    if (!configuration?.serverMetadata().end_session_endpoint) return undefined;
    const parameters = new URLSearchParams({ post_logout_redirect_uri: loginUrl });
    if (request !== undefined) parameters.set('state', request);
    return oidc.buildEndSessionUrl(configuration, parameters).href;
  }

  /** What the ID token says; and the user info endpoint, where the token does not say how to name the person. */
  async #claims(
    configuration: oidc.Configuration,
    provider: IdentityProvider,
    query: URLSearchParams,
    expectedState: string,
    { nonce: expectedNonce, codeVerifier: pkceCodeVerifier }: PendingSignIn,
  ): Promise<oidc.IDToken> {
    try {
      const url = new URL(provider.redirectUri);
      url.search = query.toString();
      const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true };
      const tokens = await oidc.authorizationCodeGrant(configuration, url, checks);
      const claims = tokens.claims();
      if (claims === undefined) throw new OAuthError('sign-in-refused-upstream', 'idp_answer_invalid');
      if (claims['email'] !== undefined || !configuration.serverMetadata().userinfo_endpoint) return claims;
      const more = await oidc.fetchUserInfo(configuration, tokens.access_token, claims.sub);
      return { ...more, ...claims };
    } catch (error) {
      throw signInErrorOf(error, provider.slug);
    }
  }

  async #configurationOf(provider: IdentityProvider): Promise<oidc.Configuration> {
    try {
      return await this.client.of(provider);
    } catch (error) {
      throw signInErrorOf(error, provider.slug, 'discovery');
    }
  }
}

function scopeOf({ scopes, includeGroupsScope }: IdentityProvider, configuration: oidc.Configuration): string {
  const known = configuration.serverMetadata().scopes_supported ?? [];
  const groups = includeGroupsScope && known.includes('groups') ? ['groups'] : [];
  return [...new Set([...scopes, ...groups])].join(' ');
}
