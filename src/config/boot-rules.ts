import type { Config } from './config.js';
import { otlpUrl } from './otlp-endpoint.js';
import { missingOf } from './oidc-rules.js';
import type { OidcProviderSettings, OidcSettings } from './oidc-settings.js';

/** Rules that no single setting can check: they look at several, or at where the issuer is. */
export function bootProblems(config: Config): string[] {
  return rules.flatMap((rule) => rule(config)).filter((problem) => problem !== undefined);
}

type Rule = (config: Config) => (string | undefined)[];

const rules: readonly Rule[] = [
  (config) => [
    production(config) && config.session.secret.length < 32
      ? 'session.secret is required: at least 32 characters; generate one with "openssl rand -base64 48" and set AUTHPLANE_SESSION_SECRET'
      : undefined,
    production(config) && config.admin.enabled && isWeakKey(config.admin.apiKey)
      ? 'admin.api_key is required: at least 16 characters, none of the well-known ones; generate one with "openssl rand -base64 32" and set AUTHPLANE_ADMIN_API_KEY'
      : undefined,
    production(config) && !config.cimd.requireHttps
      ? 'cimd.require_https must be true unless the issuer is on localhost'
      : undefined,
    production(config) && config.cimd.allowPrivateAddresses
      ? 'cimd.allow_private_addresses must be false unless the issuer is on localhost'
      : undefined,
  ],
  ({ storage: { driver, postgres } }) => [
    driver === 'postgres' && !postgres.dsn
      ? 'storage.postgres.dsn is required with storage.driver postgres; set AUTHPLANE_STORAGE_POSTGRES_DSN=postgres://...'
      : undefined,
    postgres.minConns > postgres.maxConns
      ? 'storage.postgres.min_conns must be at most storage.postgres.max_conns'
      : undefined,
  ],
  ({ redis }) => [
    [redis.url, redis.sentinels[0], redis.clusterNodes[0]].filter(Boolean).length > 1
      ? 'redis.url, redis.sentinels and redis.cluster_nodes exclude each other: set one of them'
      : undefined,
  ],
  (config) => [
    production(config) && config.dataEncryption.vaultTransitEncrypt.address?.startsWith('http:')
      ? 'data_encryption.vault_transit_encrypt.address must be https unless the issuer is on localhost'
      : undefined,
  ],
  vaultSigningRules,
  ({ signing, dataEncryption }) => [
    signing.keyStore === 'postgres_key' && !dataEncryption.driver
      ? 'signing.key_store postgres_key needs encryption at rest: set data_encryption.driver to aes_master or vault_transit_encrypt, or key_store to keyfile'
      : undefined,
  ],
  ({ rateLimit: { enabled, requestsPerSecond, burst } }) => [
    enabled && requestsPerSecond <= 0
      ? 'rate_limit.requests_per_second must be above 0, or rate_limit.enabled false'
      : undefined,
    enabled && burst <= 0 ? 'rate_limit.burst must be above 0, or rate_limit.enabled false' : undefined,
  ],
  ({ admin }) => [
    admin.auditDefaultLookbackSeconds > admin.auditMaxLookbackSeconds
      ? 'admin.audit_default_lookback must be at most admin.audit_max_lookback'
      : undefined,
  ],
  webhookRules,
  oidcRules,
  ({ observability: { logging, metrics, tracing } }) => [
    logging.outputs.otel
      ? endpointProblem(
          'observability.logging.outputs.otel_endpoint',
          logging.outputs.otelEndpoint,
          logging.outputs.insecure,
        )
      : undefined,
    logging.outputs.stdout || logging.outputs.otel
      ? undefined
      : 'observability.logging.outputs: stdout or otel must be true, or nobody learns what goes wrong',
    metrics.provider === 'otel' || metrics.provider === 'both'
      ? endpointProblem('observability.metrics.otel_endpoint', metrics.otelEndpoint, metrics.insecure)
      : undefined,
    tracing.enabled ? endpointProblem('observability.tracing.endpoint', tracing.endpoint, tracing.insecure) : undefined,
  ],
  resourceRules,
  ({ brokerProviders, dataEncryption }) => [
    brokerProviders.length > 0 && !dataEncryption.driver
      ? 'data_encryption required when broker_providers configured: set data_encryption.driver to aes_master'
      : undefined,
    ...brokerProviders
      .filter(({ slug }, index) => brokerProviders.findIndex((other) => other.slug === slug) !== index)
      .map(({ slug }) => `broker_providers: slug ${slug} is there twice`),
  ],
];

function endpointProblem(setting: string, endpoint: string | undefined, insecure: boolean): string | undefined {
  if (endpoint === undefined)
    return `${setting} is required: where an OpenTelemetry collector listens, such as collector:4318`;
  if (otlpUrl(endpoint, insecure, 'traces')) return undefined;
  return `${setting} must be https, or insecure beside it true`;
}

/** Also of a Vault that signs no more: what is half there would be found out when it is needed. */
function vaultSigningRules(config: Config): string[] {
  const { keyStore, vaultTransit } = config.signing;
  const { address, token, approle } = vaultTransit;
  const at = 'signing.vault_transit';
  if (!address)
    return keyStore === 'vault_transit'
      ? [`${at}.address is required with signing.key_store vault_transit: set AUTHPLANE_VAULT_ADDR=https://...`]
      : [];
  const problems: string[] = [];
  if (production(config) && address.startsWith('http:'))
    problems.push(`${at}.address must be https unless the issuer is on localhost`);
  if (token && (approle.roleId || approle.secretId))
    problems.push(`${at}.token and ${at}.approle exclude each other: set one of them`);
  else if (Boolean(approle.roleId) !== Boolean(approle.secretId))
    problems.push(
      approle.roleId
        ? `${at}.approle.secret_id is required beside role_id: set AUTHPLANE_VAULT_APPROLE_SECRET_ID`
        : `${at}.approle.role_id is required beside secret_id: set AUTHPLANE_VAULT_APPROLE_ROLE_ID`,
    );
  else if (!token && !approle.roleId)
    problems.push(
      `${at} needs credentials: set AUTHPLANE_VAULT_TOKEN, or AUTHPLANE_VAULT_APPROLE_ROLE_ID and AUTHPLANE_VAULT_APPROLE_SECRET_ID`,
    );
  return problems;
}

function webhookRules(config: Config): string[] {
  const { webhooks } = config;
  return webhooks.flatMap(({ name, url }, index) => [
    ...(webhooks.findIndex((other) => other.name === name) === index
      ? []
      : [`webhooks: the name ${name} is there twice`]),
    ...(production(config) && url.startsWith('http:')
      ? [`webhooks[${index}].url must be https unless the issuer is on localhost`]
      : []),
  ]);
}

function oidcRules(config: Config): string[] {
  const { oidc } = config;
  const problems: string[] = [];
  const required = (at: string, provider: OidcSettings | OidcProviderSettings): void => {
    problems.push(...missingOf(provider, config).map((problem) => `${at}.${problem}`));
  };
  if (oidc.enabled) required('oidc', oidc);
  oidc.providers.forEach((provider, index) => {
    required(`oidc.providers[${index}]`, provider);
    if (provider.slug === 'default')
      problems.push('oidc.providers: the slug default is that of the provider in oidc itself');
    if (oidc.providers.findIndex(({ slug }) => slug === provider.slug) !== index)
      problems.push(`oidc.providers: slug ${provider.slug} is there twice`);
  });
  if (!oidc.showLocalLogin && !oidc.enabled && oidc.providers.length === 0)
    problems.push('oidc.show_local_login may be false only where there is an identity provider: nobody could sign in');
  return problems;
}

function resourceRules({ resources, resource, server }: Config): string[] {
  const problems: string[] = [];
  if (resource.scopes.length > 0 && !resource.uri) {
    problems.push('resource.scopes needs resource.uri: set AUTHPLANE_RESOURCE_URI');
  }
  const seen = new Set<string>();
  const uris = new Set<string>();
  for (const { slug, uri, backendKind, brokerProviderSlug, brokerProviderId } of resources) {
    if (seen.has(slug)) problems.push(`resources: slug ${slug} is there twice`);
    seen.add(slug);
    const hasProvider = brokerProviderSlug !== undefined || brokerProviderId !== undefined;
    if (backendKind === 'broker' && !hasProvider)
      problems.push(`resources: ${slug} needs a broker_provider_slug, because its backend_kind is broker`);
    if (backendKind === 'mint' && hasProvider)
      problems.push(`resources: ${slug} must not have a broker provider, because its backend_kind is mint`);
    if (uri === undefined) {
      problems.push(`resources: ${slug} needs a uri`);
      continue;
    }
    if (sameTarget(uri, server.issuer)) problems.push(`resources: uri of ${slug} must not be the issuer`);
    if (uris.has(uri)) problems.push(`resources: uri ${uri} is there twice`);
    uris.add(uri);
  }
  return problems;
}

/** `https://a` and `https://a/` are one resource (W11). */
function sameTarget(uri: string, issuer: string): boolean {
  return uri.replace(/\/$/, '') === issuer.replace(/\/$/, '');
}

/** An issuer that is no URL is reported as that; nothing else can be said about it. */
function production({ server, isLocal }: Config): boolean {
  return URL.canParse(server.issuer) && !isLocal;
}

const wellKnown = [
  'changeme',
  'secret',
  'password',
  'devadminkey',
  'adminkey',
  'example',
  'letmein',
  'authplane',
  '12345678',
  'qwerty',
];

/** Too short, one of the keys that stand in tutorials (also repeated or decorated), or hardly any different characters. */
function isWeakKey(key: string): boolean {
  if (key.length < 16 || new Set(key).size < 6) return true;
  const rest = wellKnown.reduce((left, word) => left.replaceAll(word, ''), key.toLowerCase().replace(/[^a-z0-9]/g, ''));
  return rest.length < 8;
}
