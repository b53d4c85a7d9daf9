import { Injectable } from '@nestjs/common';
import { jwtVerify } from 'jose';
import * as oidc from 'openid-client';
import { OAuthError } from '#libs/oauth';
import { FetchFailed, FetchRefused, reachedNobody } from '../platform/http-client/fetch-errors.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { oidcExchangeDuration } from '../platform/telemetry/protocol-metrics.js';
import { requireMember } from './federated-accounts.js';
import { groupsOf } from './groups-claim.js';
import type { IdentityProvider } from './identity-provider.js';
import { Excused, OidcClient } from './oidc-client.js';
import { causesOf, signInErrorOf, whyOf } from './oidc-errors.js';
import type { PendingSignIn } from './sign-in-state.js';

const LONGEST_SESSION_ID = 255;

/** What a provider says of somebody who signs in. */
export interface Arrived {
  readonly claims: oidc.IDToken;
  /** null: it does not say. */
  readonly groups: string[] | null;
  readonly refreshToken?: string;
  /** What it calls the session there. */
  readonly sessionId?: string;
}

/** What it says when it is asked again. */
export type Heard =
  | { readonly kind: 'welcome'; readonly groups: string[] | null; readonly refreshToken?: string }
  | { readonly kind: 'refused'; readonly why: string }
  /** Nothing that counts. It may have replaced the refresh token all the same. */
  | {
      readonly kind: 'unheard';
      readonly why: string;
      readonly refreshToken?: string;
      readonly outcomeUnknown: boolean;
    };

interface Refreshed {
  readonly claims?: oidc.IDToken;
  readonly accessToken: string;
}

/** Asks identity providers who somebody is: by the code of a sign-in, and by refresh token whether that still holds. */
@Injectable()
export class UpstreamPerson {
  constructor(private readonly client: OidcClient) {}

  /** @throws OAuthError for a page */
  async arrived(
    provider: IdentityProvider,
    query: URLSearchParams,
    { nonce: expectedNonce, codeVerifier: pkceCodeVerifier }: PendingSignIn,
  ): Promise<Arrived> {
    const configuration = await this.configurationOf(provider);
    const startedAt = performance.now();
    let outcome = 'failure';
    try {
      const url = new URL(provider.redirectUri);
      url.search = query.toString();
      const expectedState = query.get('state') ?? '';
      const checks = { expectedState, expectedNonce, pkceCodeVerifier, idTokenExpected: true };
      const tokens = await oidc.authorizationCodeGrant(configuration, url, checks);
      const own = tokens.claims();
      if (own === undefined) throw new OAuthError('sign-in-refused-upstream', 'idp_answer_invalid');
      const claims = await this.#completed(provider, configuration, own, tokens.access_token);
      const { sid } = own;
      outcome = 'success';
      return {
        claims,
        groups: groupsOf(claims[provider.groupsClaim]),
        refreshToken: tokens.refresh_token,
        sessionId: typeof sid === 'string' && sid.length <= LONGEST_SESSION_ID ? sid : undefined,
      };
    } catch (error) {
      throw signInErrorOf(error, provider.slug);
    } finally {
      oidcExchangeDuration.observe({ outcome }, secondsSince(startedAt));
    }
  }

  /** @throws OAuthError for a page */
  async configurationOf(provider: IdentityProvider): Promise<oidc.Configuration> {
    try {
      return await this.client.of(provider);
    } catch (error) {
      throw signInErrorOf(error, provider.slug, 'discovery');
    }
  }

  /** Never throws what is the provider's matter. */
  async stillWelcome(provider: IdentityProvider, subject: string, formerToken: string): Promise<Heard> {
    let configuration: oidc.Configuration;
    try {
      configuration = await this.client.refreshing(provider);
    } catch (error) {
      return unheard(error, { outcomeUnknown: false });
    }
    let tokens: Awaited<ReturnType<typeof oidc.refreshTokenGrant>>;
    try {
      tokens = await oidc.refreshTokenGrant(configuration, formerToken);
    } catch (error) {
      if (error instanceof oidc.ResponseBodyError && error.error === 'invalid_grant')
        return { kind: 'refused', why: 'invalid_grant' };
      return unheard(error, { outcomeUnknown: mayHaveActed(error) });
    }
    const { refresh_token: refreshToken, id_token: idToken, access_token: accessToken } = tokens;
    try {
      if (idToken !== undefined) await jwtVerify(idToken, await this.client.keysOf(provider));
      const heard = await this.#judge(provider, configuration, subject, { claims: tokens.claims(), accessToken });
      return heard.kind === 'welcome' ? { ...heard, refreshToken } : heard;
    } catch (error) {
      return unheard(error, { outcomeUnknown: false, refreshToken });
    }
  }

  async #judge(
    provider: IdentityProvider,
    configuration: oidc.Configuration,
    subject: string,
    { claims: own, accessToken }: Refreshed,
  ): Promise<Heard> {
    if (own !== undefined && own.sub !== subject) return { kind: 'refused', why: 'another_subject' };
    try {
      const claims = own
        ? await this.#completed(provider, configuration, own, accessToken)
        : await this.#userInfo(configuration, subject, accessToken);
      // A provider that gives no ID token says nothing of these, unless it does.
      if (own || 'hd' in claims || 'tid' in claims) requireMember(provider, claims);
      return { kind: 'welcome', groups: groupsOf(claims[provider.groupsClaim]) };
    } catch (error) {
      if (error instanceof OAuthError) return { kind: 'refused', why: error.reason };
      if (error instanceof oidc.WWWAuthenticateChallengeError && error.status === 401)
        return { kind: 'refused', why: 'user_info_refused' };
      throw error;
    }
  }

  /** The user info endpoint is asked where the ID token does not say how to name the person, or lacks groups that are to be had. */
  async #completed(
    { groupsClaim }: IdentityProvider,
    configuration: oidc.Configuration,
    claims: oidc.IDToken,
    accessToken: string,
  ): Promise<oidc.IDToken> {
    const metadata = configuration.serverMetadata();
    const told = [...(metadata.claims_supported ?? []), ...(metadata.scopes_supported ?? [])];
    const lacksGroups = claims[groupsClaim] === undefined && told.includes(groupsClaim);
    if (!metadata.userinfo_endpoint || (claims['email'] !== undefined && !lacksGroups)) return claims;
    return { ...(await oidc.fetchUserInfo(configuration, accessToken, claims.sub)), ...claims };
  }

  async #userInfo(
    configuration: oidc.Configuration,
    subject: string,
    accessToken: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    if (!configuration.serverMetadata().userinfo_endpoint) return {};
    return oidc.fetchUserInfo(configuration, accessToken, subject);
  }
}

function unheard(error: unknown, state: { outcomeUnknown: boolean; refreshToken?: string }): Heard {
  return { kind: 'unheard', why: whyOf(causesOf(error)), ...state };
}

/** Whether the refresh token may be spent although no answer says so. An answer that names an error was no success. */
function mayHaveActed(error: unknown): boolean {
  if (error instanceof oidc.ResponseBodyError) return false;
  const failure = causesOf(error).find((cause) => cause instanceof FetchFailed || cause instanceof FetchRefused);
  if (failure instanceof Excused) return failure.status !== 429 && failure.status !== 503;
  return failure === undefined || !reachedNobody(failure);
}
