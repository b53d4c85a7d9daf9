import { ProviderConfig, ProviderConfigWrong } from '../provider-config.js';
import { requireSecret, type SecretAtHand, type SecretPlace } from '../secret-place.js';
import { presetNames, presets } from '../provider-presets.js';

export type TokenAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'none';

/** `config_data` of an `oauth` provider, read and completed. */
export interface OAuthConfig {
  readonly clientId: string;
  readonly secret: SecretPlace;
  readonly authorizeUrl: string;
  readonly tokenUrl: string;
  readonly tokenAuthMethod: TokenAuthMethod;
  readonly responseFormat?: 'slack';
  readonly revocationUrl?: string;
  /** `rfc7009`: the token in a form, with client authentication; `bearer`: a POST with it; `github`: GitHub's DELETE. */
  readonly revocationFormat: 'rfc7009' | 'bearer' | 'github';
  /** What `iss` of a callback must be (RFC 9207). */
  readonly issuer?: string;
  readonly requireIss: boolean;
  readonly extraAuthParams: Readonly<Record<string, string>>;
  readonly scopeParameter: string;
  readonly scopeSeparator: string;
  readonly answerScopeSeparator: string;
  /** Asked for at every connect, whatever resources declare. */
  readonly alwaysScopes: readonly string[];
  readonly pkce: boolean;
  readonly refreshToken: 'required' | 'optional';
  readonly downscope: boolean;
  readonly cacheAccessTokens: boolean;
  /** Tells whose account it is; asked once, after connecting. */
  readonly accountUrl?: string;
  /** Where the account's name stands in that answer, or in the token answer: names with dots between. */
  readonly accountMember?: string;
}

/** Ours to set, in whatever spelling. */
const reserved = new Set([
  'client_id',
  'client_secret',
  'redirect_uri',
  'response_type',
  'response_mode',
  'scope',
  'user_scope',
  'state',
  'code_challenge',
  'code_challenge_method',
  'request',
  'request_uri',
]);
const separators = [' ', ','] as const;
const methods = ['client_secret_basic', 'client_secret_post', 'none'] as const;
const spelling = { inline: 'client_secret', reference: 'client_secret_ref' };

/** @throws ProviderConfigWrong */
export function readOAuthConfig(configData: string, secret: SecretAtHand, allowHttp: boolean): OAuthConfig {
  const preset = new ProviderConfig(configData).oneOf('preset', presetNames) ?? 'generic';
  const read = new ProviderConfig(configData, { defaults: presets[preset], allowHttp });
  read.oneOf('preset', presetNames);
  const scopeSeparator = read.oneOf('scope_separator', separators) ?? ' ';
  const clientId = read.required('client_id');
  const reference = read.secretReference('client_secret_ref', 'client_secret_env');
  const tokenAuthMethod = read.oneOf('token_auth_method', methods) ?? 'client_secret_basic';
  const config: OAuthConfig = {
    clientId,
    secret: tokenAuthMethod === 'none' ? noSecret(reference, secret) : requireSecret(spelling, reference, secret),
    authorizeUrl: read.requiredUrl('authorize_url'),
    tokenUrl: read.requiredUrl('token_url'),
    tokenAuthMethod,
    responseFormat: read.oneOf('response_format', ['slack']),
    revocationUrl: read.url('revocation_url')?.replace(/\{client_id\}|%7Bclient_id%7D/gi, encodeURIComponent(clientId)),
    revocationFormat: read.oneOf('revocation_format', ['rfc7009', 'bearer', 'github']) ?? 'rfc7009',
    issuer: read.url('issuer'),
    requireIss: read.flag('require_iss', false),
    extraAuthParams: read.pairs('extra_auth_params', reserved),
    scopeParameter: read.oneOf('scope_parameter', ['scope', 'user_scope']) ?? 'scope',
    scopeSeparator,
    answerScopeSeparator: read.oneOf('answer_scope_separator', separators) ?? scopeSeparator,
    alwaysScopes: read.words('always_scopes'),
    pkce: read.flag('pkce', true),
    refreshToken: read.oneOf('refresh_token', ['required', 'optional']) ?? 'required',
    downscope: read.flag('downscope', false),
    cacheAccessTokens: read.flag('cache_access_tokens', true),
    accountUrl: read.url('account_url'),
    accountMember: read.text('account_member', { max: 128 }),
  };
  read.end();
  requireConsistent(config);
  return config;
}

function requireConsistent({
  tokenAuthMethod,
  pkce,
  requireIss,
  issuer,
  accountUrl,
  accountMember,
}: OAuthConfig): void {
  if (tokenAuthMethod === 'none' && !pkce)
    throw new ProviderConfigWrong('pkce', 'must be true when there is no secret');
  if (requireIss && issuer === undefined) throw new ProviderConfigWrong('issuer', 'is required with require_iss');
  if (accountUrl !== undefined && accountMember === undefined)
    throw new ProviderConfigWrong('account_member', 'is required with account_url');
}

function noSecret(reference: string | undefined, { given }: SecretAtHand): SecretPlace {
  if (reference === undefined && !given) return { inRow: false };
  throw new ProviderConfigWrong('token_auth_method', 'must not be none when there is a secret');
}
