import { Injectable } from '@nestjs/common';
import type { Provider } from '../provider.js';
import { Clock } from '../../platform/clock/clock.js';
import { asConfigured } from '../provider-config.js';
import { ProviderSecrets } from '../provider-secrets.js';
import type { SecretAtHand, SecretPlace } from '../secret-place.js';
import { CallbackFromElsewhere, UpstreamMisconfigured, UpstreamRefused } from '../upstream-errors.js';
import {
  Connector,
  LONGEST_REFRESH_MILLIS,
  type ConnectCallback,
  type ConnectedAccount,
  type ConnectRequest,
  type Credential,
  type Revocation,
  type Traits,
  type UpstreamToken,
} from './connector.js';
import { readOAuthConfig, type OAuthConfig } from './oauth-config.js';
import { readTokenAnswer, type TokenAnswer } from './token-answer.js';
import type { UpstreamJson } from './upstream-answer.js';
import { UpstreamCalls } from './upstream-calls.js';

type Form = Readonly<Record<string, string>>;

/** Upstream no longer knows the token: what was to be reached. */
const alreadyOver = new Set(['invalid_token', 'not_authed', 'invalid_auth']);

/** OAuth 2.0 upstreams: authorization code with PKCE, refresh tokens, revocation (RFC 6749, 7636, 7009, 9207). */
@Injectable()
export class OAuthConnector extends Connector {
  readonly protocol = 'oauth';
  readonly connects = true;
  readonly inlineSecret = 'client_secret';
  protected readonly longestRefreshMillis: number = LONGEST_REFRESH_MILLIS;

  constructor(
    private readonly calls: UpstreamCalls,
    private readonly secrets: ProviderSecrets,
    private readonly clock: Clock,
  ) {
    super();
  }

  check(configData: string, secret: SecretAtHand): SecretPlace {
    return readOAuthConfig(configData, secret, this.calls.allowHttp).secret;
  }

  traits(provider: Provider): Traits {
    const { cacheAccessTokens, downscope, authorizeUrl } = this.#config(provider);
    return { cacheAccessTokens, downscope, host: new URL(authorizeUrl).host };
  }

  async connectUrl(provider: Provider, { state, codeChallenge, redirectUri, scopes }: ConnectRequest): Promise<string> {
    const config = this.#config(provider);
    const asked = [...new Set([...config.alwaysScopes, ...scopes])];
    if (asked.some((scope) => scope.includes(config.scopeSeparator)))
      throw new UpstreamMisconfigured('scope_separator');
    const url = new URL(config.authorizeUrl);
    const parameters: Form = {
      ...config.extraAuthParams,
      response_type: 'code',
      client_id: config.clientId,
      redirect_uri: redirectUri,
      state,
      ...(asked.length > 0 && { [config.scopeParameter]: asked.join(config.scopeSeparator) }),
      ...(config.pkce && { code_challenge: codeChallenge, code_challenge_method: 'S256' }),
    };
    for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
    return url.href;
  }

  async finish(provider: Provider, callback: ConnectCallback): Promise<ConnectedAccount> {
    const config = this.#config(provider);
    requireIssuer(config, callback.issuer);
    const json = await this.#askForToken(provider, config, {
      grant_type: 'authorization_code',
      code: callback.code,
      redirect_uri: callback.redirectUri,
      ...(config.pkce && { code_verifier: callback.codeVerifier }),
    });
    const { accessToken, refreshToken, expiresInSeconds, scopes = callback.scopes } = readToken(json, config);
    if (refreshToken === undefined && config.refreshToken === 'required')
      throw new UpstreamMisconfigured('refresh_token_missing');
    return {
      accessToken,
      expiresInSeconds,
      scopes,
      credential: refreshToken === undefined ? this.#alone(accessToken, expiresInSeconds) : { refreshToken },
      account: await this.#accountOf(config, accessToken, json),
    };
  }

  async vend(
    provider: Provider,
    credential: Credential | undefined,
    scopes: readonly string[],
  ): Promise<UpstreamToken> {
    const { refreshToken } = credential ?? {};
    if (refreshToken === undefined) return this.#asItIs(credential);
    const config = this.#config(provider);
    const until = performance.now() + this.longestRefreshMillis;
    const refresh = async (narrowed: Form = {}): Promise<UpstreamToken> => {
      const grant = { grant_type: 'refresh_token', refresh_token: refreshToken, ...narrowed };
      const json = await this.#askForToken(provider, config, grant, Math.max(until - performance.now(), 1));
      return readRefreshed(json, config, refreshToken);
    };
    if (!config.downscope || scopes.length === 0) return refresh();
    try {
      return await refresh({ scope: scopes.join(config.scopeSeparator) });
    } catch (error) {
      if (!(error instanceof UpstreamMisconfigured) || error.code !== 'invalid_scope') throw error;
    }
    // Less is left of the grant than was asked for (RFC 6749 §6). How much, the answer to a refresh for all of it tells.
    const all = await refresh();
    return { ...all, scopes: all.scopes ?? [] };
  }

  #alone(accessToken: string, expiresInSeconds: number | undefined): Credential {
    if (expiresInSeconds === undefined) return { accessToken };
    return { accessToken, expiresAt: new Date(this.clock.now().getTime() + expiresInSeconds * 1000).toISOString() };
  }

  /** An access token that nothing renews: once it is over, so is the connection. */
  #asItIs({ accessToken, expiresAt }: Credential = {}): UpstreamToken {
    if (accessToken === undefined) throw new UpstreamRefused('credential_missing');
    if (expiresAt === undefined) return { accessToken };
    const expiresInSeconds = Math.floor((Date.parse(expiresAt) - this.clock.now().getTime()) / 1000);
    if (expiresInSeconds <= 0) throw new UpstreamRefused('credential_expired');
    return { accessToken, expiresInSeconds };
  }

  async revoke(provider: Provider, credential: Credential, how: Revocation = {}): Promise<void> {
    const config = this.#config(provider);
    const { revocationUrl: url, revocationFormat } = config;
    if (url === undefined) return;
    try {
      if (revocationFormat === 'rfc7009') return await this.#revokeByForm(provider, config, url, credential);
      const { accessToken, credential: rotated } = await this.vend(provider, credential, []);
      if (rotated) await how.keep?.(rotated);
      if (revocationFormat === 'github') {
        // What ends the authorization ends every token of it, of whichever connection.
        const where = how.spare ? url.replace(/\/grant$/, '/token') : url;
        return await this.#revokeAtGitHub(provider, config, where, accessToken);
      }
      await this.calls.postForm(url, {}, { authorization: `Bearer ${accessToken}` });
    } catch (error) {
      const over =
        error instanceof UpstreamRefused || (error instanceof UpstreamMisconfigured && alreadyOver.has(error.code));
      if (!over) throw error;
    }
  }

  /** RFC 7009 §2.1; revoking a refresh token ends the grant. */
  async #revokeByForm(provider: Provider, config: OAuthConfig, url: string, credential: Credential): Promise<void> {
    const { refreshToken, accessToken = '' } = credential;
    const hint = refreshToken === undefined ? 'access_token' : 'refresh_token';
    const { form, headers } = await this.#authenticated(provider, config);
    const named = { ...form, token: refreshToken ?? accessToken, token_type_hint: hint };
    this.calls.requireRevoked(await this.calls.sendForm(url, named, headers));
  }

  /** 404 and 422: GitHub does not know the token any more. */
  async #revokeAtGitHub(provider: Provider, config: OAuthConfig, url: string, accessToken: string): Promise<void> {
    const headers = { authorization: basic(config.clientId, await this.secrets.of(provider, config.secret)) };
    const answer = await this.calls.deleteWith(url, { access_token: accessToken }, headers);
    if (answer.status !== 404 && answer.status !== 422) this.calls.requireRevoked(answer);
  }

  async #askForToken(
    provider: Provider,
    config: OAuthConfig,
    grant: Form,
    withinMillis?: number,
  ): Promise<UpstreamJson> {
    const { form, headers } = await this.#authenticated(provider, config);
    return this.calls.postForm(config.tokenUrl, { ...form, ...grant }, headers, withinMillis);
  }

  /** RFC 6749 §2.3.1. */
  async #authenticated(provider: Provider, config: OAuthConfig): Promise<{ form: Form; headers: Form }> {
    const { clientId, tokenAuthMethod } = config;
    if (tokenAuthMethod === 'none') return { form: { client_id: clientId }, headers: {} };
    const secret = await this.secrets.of(provider, config.secret);
    if (tokenAuthMethod === 'client_secret_post')
      return { form: { client_id: clientId, client_secret: secret }, headers: {} };
    return { form: {}, headers: { authorization: basic(formEncoded(clientId), formEncoded(secret)) } };
  }

  /** For people to recognise it by; a connection does not fail for it. */
  async #accountOf(config: OAuthConfig, accessToken: string, tokenJson: UpstreamJson): Promise<string | undefined> {
    const { accountUrl, accountMember } = config;
    if (accountMember === undefined) return undefined;
    const told =
      accountUrl === undefined
        ? tokenJson
        : await this.calls.get(accountUrl, { authorization: `Bearer ${accessToken}` }).catch(() => ({}));
    const value = accountMember.split('.').reduce(memberOf, told as unknown);
    const text = typeof value === 'number' ? String(value) : value;
    return typeof text === 'string' && /^[^\p{Cc}\p{Cf}\p{Cs}]{1,200}$/u.test(text) ? text : undefined;
  }

  #config({ configData, sealedSecret }: Provider): OAuthConfig {
    const secret = { given: false, kept: sealedSecret !== undefined };
    return asConfigured(() => readOAuthConfig(configData, secret, this.calls.allowHttp));
  }
}

function requireIssuer({ issuer, requireIss }: OAuthConfig, received: string | undefined): void {
  if (issuer === undefined || (received === undefined && !requireIss)) return;
  if (received !== issuer) throw new CallbackFromElsewhere();
}

function readRefreshed(json: UpstreamJson, config: OAuthConfig, presented: string): UpstreamToken {
  const { accessToken, refreshToken, expiresInSeconds, scopes } = readToken(json, config);
  const rotated = refreshToken !== undefined && refreshToken !== presented;
  return { accessToken, expiresInSeconds, scopes, ...(rotated && { credential: { refreshToken } }) };
}

/** Slack's type of token says whose it is, and not how it is shown. */
const readToken = (json: UpstreamJson, { answerScopeSeparator, responseFormat }: OAuthConfig): TokenAnswer =>
  readTokenAnswer(json, answerScopeSeparator, responseFormat);

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

const formEncoded = (text: string): string => new URLSearchParams({ '': text }).toString().slice(1);
const basic = (name: string, password: string): string =>
  `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
