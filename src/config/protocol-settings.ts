import { Matches } from 'class-validator';
import { Each, IsHostName, IsListenAddress, IsPrivateUseScheme, IsScopeList } from './setting-checks.js';
import { boolean, duration, ignored, integer, list, number, text } from './setting.js';

export class DcrSettings {
  @text('mode', {
    defaultText: '`open` when the issuer is on localhost, else `admin_only`',
    oneOf: ['open', 'approved_redirects', 'admin_only'],
    about: 'Who may register clients: anybody, anybody with an approved redirect URI, operators only.',
  })
  readonly mode: 'open' | 'approved_redirects' | 'admin_only';

  @list('approved_redirects', { about: 'Redirect URIs that mode approved_redirects lets through.' })
  readonly approvedRedirects: readonly string[];

  @duration('default_token_expiry', {
    default: '15m',
    min: '1m',
    max: '24h',
    about: 'Lifetime of an access token, unless its resource or client has its own.',
  })
  readonly defaultTokenExpirySeconds: number;

  @duration('default_refresh_expiry', {
    default: '168h',
    min: '1m',
    max: '365d',
    about: 'How long a refresh token may lie unused.',
  })
  readonly defaultRefreshExpirySeconds: number;

  @number('rate_limit', { default: 10, min: 0.01, max: 100_000, about: 'Registrations per minute and address.' })
  readonly rateLimit: number;

  @integer('rate_limit_burst', { default: 20, min: 1, max: 100_000, about: 'Registrations at once per address.' })
  readonly rateLimitBurst: number;

  @boolean('management', {
    default: true,
    about: 'Whether registered clients get a token to read, change and delete their registration with (RFC 7592).',
  })
  readonly management: boolean;
}

export class CimdSettings {
  @boolean('enabled', { default: true, about: 'Whether a client may be known by its metadata document.' })
  readonly enabled: boolean;

  @boolean('require_https', { default: true, about: 'Refuse http documents. false only on a localhost issuer.' })
  readonly requireHttps: boolean;

  @boolean('allow_private_addresses', {
    default: false,
    about: 'Fetch documents from private addresses too. true only on a localhost issuer.',
  })
  readonly allowPrivateAddresses: boolean;

  @duration('cache_ttl', { default: '1h', min: '1m', max: '24h', about: 'How long a fetched document is good.' })
  readonly cacheTtlSeconds: number;

  @duration('fetch_timeout', { default: '5s', min: '1s', max: '30s', about: 'How long fetching one may take.' })
  readonly fetchTimeoutSeconds: number;

  @list('allowed_hosts', { about: 'Hosts, with their subdomains, whose documents are accepted; empty: any.' })
  @Each(IsHostName())
  readonly allowedHosts: readonly string[];

  @list('denied_hosts', { about: 'Hosts, with their subdomains, whose documents are refused.' })
  @Each(IsHostName())
  readonly deniedHosts: readonly string[];
}

export class SessionSettings {
  @text('secret', {
    default: '',
    secret: true,
    defaultText: 'on a localhost issuer generated under `data_dir`, else required',
    about:
      'Root of every derived key, at least 32 characters (openssl rand -base64 48). Changing it breaks pages that are open, and makes spent refresh tokens unknown.',
  })
  readonly secret: string;

  @text('cookie_name', {
    default: 'authserver_session',
    about: 'Name of the cookie: prefixed with __Host- on https, followed by the port on http.',
  })
  @Matches(/^[A-Za-z0-9_-]{1,64}$/, { message: 'must be 1 to 64 letters, digits, hyphens and underscores' })
  readonly cookieName: string;

  @duration('max_age', { default: '24h', min: '1m', max: '90d', about: 'How long a person stays signed in.' })
  readonly maxAgeSeconds: number;

  @ignored('secure', "Follows the issuer's scheme.")
  readonly secure?: never;

  @ignored('same_site', 'Always Lax.')
  readonly sameSite?: never;

  @ignored('fail_closed', 'A session that cannot be checked is never one.')
  readonly failClosed?: never;
}

export class RateLimitSettings {
  @boolean('enabled', { default: true, about: 'Whether requests are counted. Lockouts are counted all the same.' })
  readonly enabled: boolean;

  @number('requests_per_second', {
    default: 100,
    env: 'AUTHPLANE_RATE_LIMIT_RPS',
    max: 1_000_000,
    about: 'Requests per second of one client at one address.',
  })
  readonly requestsPerSecond: number;

  @integer('burst', { default: 200, max: 1_000_000, about: 'Requests at once of one client at one address.' })
  readonly burst: number;

  @integer('auth_fail_max', {
    default: 10,
    min: 0,
    max: 1_000,
    about: 'Failed sign-ins of one identity at one address within the window before it is locked; 0: never.',
  })
  readonly authFailMax: number;

  @duration('auth_fail_window', { default: '10m', min: '1s', max: '24h', about: 'The window for failed sign-ins.' })
  readonly authFailWindowSeconds: number;

  @duration('auth_lockout', { default: '15m', min: '1s', max: '24h', about: 'How long the lock holds.' })
  readonly authLockoutSeconds: number;
}

export class AdminSettings {
  @boolean('enabled', { default: true, about: 'Whether the admin listener exists.' })
  readonly enabled: boolean;

  @text('address', {
    defaultText: '`127.0.0.1:9001`',
    about:
      'Where the admin listener binds, host:port. `:9001` is every interface, or 127.0.0.1 when the issuer is on localhost.',
  })
  @IsListenAddress()
  readonly address: string;

  @text('api_key', {
    default: '',
    secret: true,
    defaultText: 'on a localhost issuer generated under `data_dir`, else required',
    about: "The operator's bearer key, at least 16 characters (openssl rand -base64 32).",
  })
  readonly apiKey: string;

  @list('allowed_hosts', {
    about: 'Host names, beside loopback and the bound address, that the admin listener answers to.',
  })
  @Each(IsHostName())
  readonly allowedHosts: readonly string[];

  @duration('audit_default_lookback', {
    default: '24h',
    min: '1m',
    max: '365d',
    about: 'How far an audit query looks back.',
  })
  readonly auditDefaultLookbackSeconds: number;

  @duration('audit_max_lookback', { default: '720h', min: '1m', max: '365d', about: 'How far one may look back.' })
  readonly auditMaxLookbackSeconds: number;
}

export class OAuthSettings {
  @duration('code_ttl', { default: '10m', min: '1s', max: '10m', about: 'Lifetime of an authorization code.' })
  readonly codeTtlSeconds: number;

  @boolean('require_scope', { default: false, about: 'Refuse authorization requests without scope.' })
  readonly requireScope: boolean;

  @text('default_resource', { about: 'The resource meant when a request names none and its scopes fit several.' })
  readonly defaultResource?: string;

  @text('default_client_scope', {
    default: '',
    about: 'Ceiling of self-registered clients; empty: what resources declare.',
  })
  @IsScopeList()
  readonly defaultClientScope: string;

  @boolean('accept_token_endpoint_audience', {
    default: false,
    about: 'Legacy: client assertions may have the token endpoint as audience in place of the issuer.',
  })
  readonly acceptTokenEndpointAudience: boolean;

  @list('allowed_redirect_schemes', { about: 'Private-use schemes that self-registered redirect URIs may have.' })
  @Each(IsPrivateUseScheme())
  readonly allowedRedirectSchemes: readonly string[];

  @duration('refresh_retry_window', {
    default: '10s',
    min: '0s',
    max: '60s',
    about: 'How long a spent refresh token gets its answer again: key-bound families and confidential clients.',
  })
  readonly refreshRetryWindowSeconds: number;

  @duration('refresh_retry_window_public', {
    default: '0s',
    min: '0s',
    max: '60s',
    about: 'The same for unbound public clients. Above 0 a stolen token may be repeated unseen.',
  })
  readonly refreshRetryWindowPublicSeconds: number;

  @duration('refresh_max_lifetime', {
    default: '2160h',
    min: '1m',
    max: '365d',
    about: 'Absolute end of a refresh family.',
  })
  readonly refreshMaxLifetimeSeconds: number;
}

export class ClientCredentialsSettings {
  @boolean('enabled', {
    default: false,
    about: 'Whether a confidential client may have tokens for itself (RFC 6749 §4.4).',
  })
  readonly enabled: boolean;

  @duration('token_expiry', {
    default: '1h',
    min: '1s',
    max: '24h',
    about: 'Lifetime of such a token, where neither client nor resource has its own.',
  })
  readonly tokenExpirySeconds: number;
}

export class DpopSettings {
  @boolean('enabled', {
    default: true,
    about:
      'Whether a proof binds the token to its key. Off: proofs are passed over, and whoever must send one gets nothing.',
  })
  readonly enabled: boolean;

  @duration('proof_lifetime', {
    default: '60s',
    min: '10s',
    max: '300s',
    about: 'How far the iat of a proof may be from now, before or after.',
  })
  readonly proofLifetimeSeconds: number;

  @duration('nonce_ttl', {
    default: '60s',
    min: '10s',
    max: '1h',
    about: 'How often the server nonce changes; the one before still works.',
  })
  readonly nonceTtlSeconds: number;

  @boolean('require_nonce', {
    default: false,
    about: 'Refuse proofs without a server nonce, which defeats proofs that were made in advance.',
  })
  readonly requireNonce: boolean;
}

export class XaaSettings {
  @boolean('enabled', {
    default: false,
    about: 'Whether an assertion of a trusted issuer is taken for an access token (RFC 7523 §2.1, ID-JAG).',
  })
  readonly enabled: boolean;

  @duration('token_expiry', {
    default: '1h',
    min: '1s',
    max: '24h',
    about: 'Lifetime of such a token, where neither client nor resource has its own.',
  })
  readonly tokenExpirySeconds: number;

  @duration('jwks_cache_ttl', {
    default: '1h',
    min: '1m',
    max: '24h',
    about: 'How long the keys of an issuer serve, also while its host is away.',
  })
  readonly jwksCacheTtlSeconds: number;

  @duration('max_assertion_age', {
    default: '5m',
    min: '10s',
    max: '1h',
    about: 'How far back the iat of an identity assertion may lie.',
  })
  readonly maxAssertionAgeSeconds: number;

  @boolean('require_resource', {
    default: false,
    about: 'Refuse when neither the request nor the assertion names a resource.',
  })
  readonly requireResource: boolean;

  @text('subject_mode', {
    default: 'auto_map',
    oneOf: ['auto_map', 'strict'],
    about: 'Whether a person whom an issuer knows and we do not gets an account just in time, or is refused.',
  })
  readonly subjectMode: 'auto_map' | 'strict';

  @boolean('issuing_enabled', {
    default: false,
    about:
      'Whether a confidential client may exchange its refresh token for an identity assertion to another authorization server (ID-JAG).',
  })
  readonly issuingEnabled: boolean;
}

export class TokenExchangeSettings {
  @boolean('enabled', {
    default: false,
    about: 'Whether a confidential client may exchange a token for one of another resource (RFC 8693).',
  })
  readonly enabled: boolean;

  @duration('token_expiry', {
    default: '1h',
    min: '1s',
    max: '24h',
    about: 'Lifetime of such a token, where neither client nor resource has its own; never beyond the token exchanged.',
  })
  readonly tokenExpirySeconds: number;

  @boolean('allow_self_exchange', {
    default: false,
    about: 'Whether a client may narrow its own token, for the same audience, by naming no resource.',
  })
  readonly allowSelfExchange: boolean;

  @integer('max_chain_depth', { default: 5, min: 1, max: 10, about: 'How many actors a token may tell of.' })
  readonly maxChainDepth: number;
}
