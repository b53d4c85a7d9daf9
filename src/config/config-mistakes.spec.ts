import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConfigMistakes, loadConfig } from './load-config.js';

type Env = Record<string, string>;

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function problems(env: Env, yaml = ''): readonly string[] {
  writeFileSync(join(cwd, 'authplane.yaml'), yaml);
  try {
    loadConfig({ env, cwd, yamlPath: 'authplane.yaml' });
    return [];
  } catch (error) {
    if (error instanceof ConfigMistakes) return error.problems;
    throw error;
  }
}

const production: Env = {
  AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
  AUTHPLANE_SESSION_SECRET: 'u5Xy8rT1qW4eP7oL0kJ3hG6fD9sA2zXc',
  AUTHPLANE_ADMIN_API_KEY: 'T9vQ2mZ4xK7wB1nR',
};

/** What is set, then what the line must say. `NAME=value` stands for AUTHPLANE_NAME; several are separated by `;`. */
const onLocalhost = `
SERVER_ISSUER=http://localhost:9000/ -> server.issuer must not end with a slash, not http://localhost:9000/ (AUTHPLANE_SERVER_ISSUER)
SERVER_ISSUER=http://localhost:9000?a -> server.issuer must not contain a query
SERVER_ISSUER=http://localhost:9000#a -> server.issuer must not contain a fragment
SERVER_ISSUER=http://me@localhost:9000 -> server.issuer must not contain a user name
SERVER_ISSUER=localhost -> server.issuer must be an absolute URL
STORAGE_DRIVER=postgres -> storage.postgres.dsn is required with storage.driver postgres; set AUTHPLANE_STORAGE_POSTGRES_DSN
STORAGE_DRIVER=sqlite -> storage.driver must be one of embedded, postgres, not sqlite (AUTHPLANE_STORAGE_DRIVER)
STORAGE_POSTGRES_DSN=mysql://db -> storage.postgres.dsn must be a postgres:// URL
STORAGE_POSTGRES_MAX_CONNS=2 -> storage.postgres.min_conns must be at most storage.postgres.max_conns
REDIS_URL=localhost:6379 -> redis.url must be a redis:// or rediss:// URL
SIGNING_KEY_STORE=postgres_key -> signing.key_store postgres_key needs encryption at rest
SIGNING_KEY_STORE=vault -> signing.key_store must be one of keyfile, postgres_key, vault_transit
SIGNING_KEY_STORE=vault_transit; VAULT_TOKEN=t -> signing.vault_transit.address is required with signing.key_store vault_transit: set AUTHPLANE_VAULT_ADDR
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=https://vault -> signing.vault_transit needs credentials: set AUTHPLANE_VAULT_TOKEN, or AUTHPLANE_VAULT_APPROLE_ROLE_ID
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=https://vault; VAULT_APPROLE_ROLE_ID=r -> signing.vault_transit.approle.secret_id is required beside role_id
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=https://vault; VAULT_APPROLE_SECRET_ID=s -> signing.vault_transit.approle.role_id is required beside secret_id
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_APPROLE_ROLE_ID=r; VAULT_APPROLE_SECRET_ID=s -> signing.vault_transit.token and signing.vault_transit.approle exclude each other
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_APPROLE_ROLE_ID=r -> signing.vault_transit.token and signing.vault_transit.approle exclude each other
VAULT_ADDR=https://vault -> signing.vault_transit needs credentials
VAULT_ADDR=https://me@vault; VAULT_TOKEN=t -> signing.vault_transit.address must be an https URL
VAULT_ADDR=https://vault; VAULT_TOKEN=a b -> signing.vault_transit.token must be printable characters without spaces
VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_TRANSIT_MOUNT=../sys -> signing.vault_transit.mount must be a path such as
VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_NAMESPACE=/team -> signing.vault_transit.namespace must be a path such as
VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_APPROLE_MOUNT=a//b -> signing.vault_transit.approle.mount must be a path such as
VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_TRANSIT_KEY_NAME=a/b -> signing.vault_transit.key_name must be a key name
VAULT_ADDR=https://vault; VAULT_TOKEN=t; VAULT_TIMEOUT=2m -> signing.vault_transit.timeout must be at least 1s and at most 60s
LOG_OTEL=true -> observability.logging.outputs.otel_endpoint is required
LOG_OTEL=true; LOG_OTEL_ENDPOINT=http://collector:4318 -> observability.logging.outputs.otel_endpoint must be https, or insecure beside it true
LOG_OTEL_ENDPOINT=collector -> observability.logging.outputs.otel_endpoint must be a URL without user, query or fragment, or host:port
LOG_STDOUT=false -> observability.logging.outputs: stdout or otel must be true
SIGNING_ALGORITHM=HS256 -> signing.algorithm must be one of ES256, RS256, EdDSA, not HS256
DATA_ENCRYPTION_DRIVER=rot13 -> data_encryption.driver must be one of aes_master
DATA_ENCRYPTION_DRIVER=aes_master -> missing key_env
DATA_ENCRYPTION_DRIVER=aes_master; DATA_ENCRYPTION_KEY_ENV=NOWHERE -> missing key_env: the variable NOWHERE is not set
DATA_ENCRYPTION_DRIVER=aes_master; DATA_ENCRYPTION_KEY_ENV=AUTHPLANE_M; M=abcd -> AUTHPLANE_M must hold exactly 64 hex characters
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=t -> data_encryption.vault_transit_encrypt: missing address: set AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=t -> missing key_name: set AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k -> missing token_env: set AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_TOKEN_ENV=NOWHERE -> missing token_env: the variable NOWHERE is not set
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=a b -> AUTHPLANE_T must hold printable characters
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_AUTH_METHOD=approle; DATA_ENCRYPTION_VAULT_ROLE_ID_ENV=AUTHPLANE_T; T=a -> missing approle.secret_id_env
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_AUTH_METHOD=approle; DATA_ENCRYPTION_VAULT_SECRET_ID_ENV=AUTHPLANE_T; T=a -> missing approle.role_id_env
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=t; DATA_ENCRYPTION_VAULT_AUTH_METHOD=ldap -> data_encryption.vault_transit_encrypt.auth_method must be one of token, approle
DATA_ENCRYPTION_VAULT_ADDRESS=https://vault/?a -> data_encryption.vault_transit_encrypt.address must be an https URL
DATA_ENCRYPTION_VAULT_ADDRESS=https://me@vault -> data_encryption.vault_transit_encrypt.address must be an https URL
DATA_ENCRYPTION_VAULT_MOUNT_PATH=../sys -> data_encryption.vault_transit_encrypt.mount_path must be a path such as
DATA_ENCRYPTION_VAULT_NAMESPACE=team/ -> data_encryption.vault_transit_encrypt.namespace must be a path such as
DATA_ENCRYPTION_VAULT_APPROLE_MOUNT_PATH=a//b -> data_encryption.vault_transit_encrypt.approle.mount_path must be a path such as
DATA_ENCRYPTION_VAULT_KEY_NAME=a/b -> data_encryption.vault_transit_encrypt.key_name must be a key name
DATA_ENCRYPTION_DRIVER=aes_master; DATA_ENCRYPTION_KEY_ENV=AUTHPLANE_M; M=abababababababababababababababababababababababababababababababab; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=t -> missing key_name
DATA_ENCRYPTION_DRIVER=vault_transit_encrypt; DATA_ENCRYPTION_VAULT_ADDRESS=https://vault; DATA_ENCRYPTION_VAULT_KEY_NAME=k; DATA_ENCRYPTION_VAULT_TOKEN_ENV=AUTHPLANE_T; T=t; DATA_ENCRYPTION_KEY_ENV=NOWHERE -> data_encryption.aes_master: missing key_env: the variable NOWHERE is not set
RATE_LIMIT_RPS=0 -> rate_limit.requests_per_second must be above 0
RATE_LIMIT_BURST=0 -> rate_limit.burst must be above 0
RATE_LIMIT_AUTH_LOCKOUT=0s -> rate_limit.auth_lockout must be at least 1s and at most 24h, not 0s (AUTHPLANE_RATE_LIMIT_AUTH_LOCKOUT)
RATE_LIMIT_AUTH_FAIL_WINDOW=0 -> rate_limit.auth_fail_window must be at least 1s
ADMIN_AUDIT_MAX_LOOKBACK=a month -> admin.audit_max_lookback must be a duration such as 30s, 10m, 1h30m or 7d, not a month
ADMIN_AUDIT_MAX_LOOKBACK=1h -> admin.audit_default_lookback must be at most admin.audit_max_lookback
SERVER_ALLOWED_ORIGINS=* -> server.allowed_origins has the entry "*", which must be an exact origin
SERVER_ALLOWED_ORIGINS=null -> server.allowed_origins has the entry "null"
SERVER_ALLOWED_ORIGINS=https://a.example/ -> server.allowed_origins has the entry "https://a.example/"
SERVER_TRUSTED_PROXIES=10.0.0.0/8 proxy -> server.trusted_proxies has the entry "proxy", which must be a CIDR
SERVER_ADDRESS=:70000 -> server.address must be host:port or :port, not :70000
SERVER_ADDRESS=[1:2]:80 -> server.address must be host:port or :port
ADMIN_ADDRESS=localhost -> admin.address must be host:port
OAUTH_CODE_TTL=11m -> oauth.code_ttl must be at least 1s and at most 10m, not 11m
OAUTH_REFRESH_RETRY_WINDOW=61s -> oauth.refresh_retry_window must be at least 0s and at most 60s
OAUTH_ALLOWED_REDIRECT_SCHEMES=javascript -> oauth.allowed_redirect_schemes has the entry "javascript"
OAUTH_DEFAULT_CLIENT_SCOPE=a  b -> oauth.default_client_scope must be scopes separated by single spaces
CIMD_DENIED_HOSTS=*.example.com -> cimd.denied_hosts has the entry "*.example.com"
CIMD_ENABLED=yes -> cimd.enabled must be true or false, not yes (AUTHPLANE_CIMD_ENABLED)
DPOP_PROOF_LIFETIME=9s -> dpop.proof_lifetime must be at least 10s and at most 300s, not 9s (AUTHPLANE_DPOP_PROOF_LIFETIME)
DPOP_PROOF_LIFETIME=301s -> dpop.proof_lifetime must be at least 10s and at most 300s
DPOP_NONCE_TTL=0s -> dpop.nonce_ttl must be at least 10s and at most 1h
DPOP_REQUIRE_NONCE=always -> dpop.require_nonce must be true or false
SESSION_COOKIE_NAME=a b -> session.cookie_name must be 1 to 64 letters
PAGES_LOGO_URL=http://a.example/l.png -> pages.logo_url must be an https URL
PAGES_LOGO_URL=//a.example/l.png -> pages.logo_url must be an https URL
PAGES_COLOR=red -> pages.color must be a hex colour
RESOURCE_SCOPES=a -> resource.scopes needs resource.uri
RESOURCE_URI=files -> resource.uri must be an absolute URI without fragment
RESOURCE_URI=http://localhost:9000/ -> must not be the issuer
OIDC_ENABLED=true; OIDC_CLIENT_ID=c -> oidc.issuer is required
OIDC_ENABLED=true; OIDC_ISSUER=https://idp.example -> oidc.client_id is required
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://me@idp.example -> oidc.issuer must be an https URL without user
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_HOSTED_DOMAINS=*.corp.example -> oidc.hosted_domains has the entry "*.corp.example"
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_RECHECK=59s -> oidc.recheck must be off, or a duration such as 15m of at least 1m
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_RECHECK=sometimes -> oidc.recheck must be off, or a duration such as 15m of at least 1m
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_RECHECK=15m -> oidc.recheck needs encryption at rest
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_AUTHORIZATION_PARAMETERS={"redirect_uri":"https://evil.example"} -> oidc.authorization_parameters must be a mapping of texts, none of them a parameter that this server sends itself
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=https://idp.example; OIDC_AUTHORIZATION_PARAMETERS={"max_age":1} -> oidc.authorization_parameters must be a mapping of texts
OIDC_SHOW_LOCAL_LOGIN=false -> oidc.show_local_login may be false only where there is an identity provider
`;

/** The same off localhost, with good secrets unless they are set here. */
const inProduction = `
SESSION_SECRET= -> session.secret is required: at least 32 characters; generate one with "openssl rand -base64 48" and set AUTHPLANE_SESSION_SECRET
SESSION_SECRET=1234567890123456789012345678901 -> session.secret is required
ADMIN_API_KEY= -> admin.api_key is required: at least 16 characters, none of the well-known ones; generate one with "openssl rand -base64 32" and set AUTHPLANE_ADMIN_API_KEY
ADMIN_API_KEY=T9vQ2mZ4xK7wB1n -> admin.api_key is required
ADMIN_API_KEY=changemechangeme -> admin.api_key is required
ADMIN_API_KEY=dev-admin-key-123 -> admin.api_key is required
ADMIN_API_KEY=aaaaaaaaaaaaaaaaaaaaaaaa -> admin.api_key is required
SERVER_ISSUER=http://auth.example.com -> server.issuer must be https
SERVER_ISSUER=http://localhost.example.com -> server.issuer must be https
SERVER_ISSUER=http://127.0.0.2 -> server.issuer must be https
SERVER_ISSUER=https://Auth.example.com -> server.issuer must be spelled https://auth.example.com
CIMD_REQUIRE_HTTPS=false -> cimd.require_https must be true
CIMD_ALLOW_PRIVATE_ADDRESSES=true -> cimd.allow_private_addresses must be false
DATA_ENCRYPTION_VAULT_ADDRESS=http://vault -> data_encryption.vault_transit_encrypt.address must be https
SIGNING_KEY_STORE=vault_transit; VAULT_ADDR=http://vault; VAULT_TOKEN=t -> signing.vault_transit.address must be https unless the issuer is on localhost
OIDC_ENABLED=true; OIDC_CLIENT_ID=c; OIDC_ISSUER=http://idp.example -> oidc.issuer must be https
`;

const inYaml = `
session: { secret: "\${SECRET}" } -> session.secret is still a placeholder: nothing replaced the \${...} in it. Put the value there, or set AUTHPLANE_SESSION_SECRET
cimd: { allowed_hosts: ["\${HOST}"] } -> cimd.allowed_hosts is still a placeholder
server: { isuer: https://a.example } -> server.isuer is not a setting; did you mean server.issuer?
sevrer: {} -> sevrer is not a setting; did you mean server?
redis: { cluster: true } -> redis.cluster is not a setting; allowed in redis: url
server: hello -> server must be a mapping of settings
- a -> the configuration file must be a mapping of settings
client_secret_pepper: 1234 -> client_secret_pepper must be text: put quotes around it
rate_limit: { burst: 1.5 } -> rate_limit.burst must be a whole number, not 1.5
oauth: { code_ttl: 600 } -> oauth.code_ttl must be a duration such as 30s
cimd: { allowed_hosts: [1] } -> cimd.allowed_hosts must be a list of texts
{ server: {}, server: {} } -> line 1: DUPLICATE_KEY in YAML
server: { -> in YAML
data_encryption: { driver: aes_master, aes_master: { key_env: PATH, old_key_env: OLD } } -> missing old_key_env: the variable OLD is not set
resources: hello -> resources must be a list
resources: [{ slug: a, uri: "https://a.example" }, { slug: a, uri: "https://b.example" }] -> resources: slug a is there twice
resources: [{ slug: a, uri: "https://a.example" }, { slug: b, uri: "https://a.example" }] -> resources: uri https://a.example is there twice
resources: [{ slug: A_b, uri: "https://a.example" }] -> resources[0].slug must be 1 to 63 lower-case letters
resources: [{ uri: "https://a.example" }] -> resources[0].slug must be 1 to 63 lower-case letters
resources: [{ slug: a }] -> resources: a needs a uri
resources: [{ slug: a, backend_kind: broker, broker_provider_slug: p }] -> resources: a needs a uri
resources: [{ slug: a, uri: "https://a.example", backend_kind: broker }] -> resources: a needs a broker_provider_slug
resources: [{ slug: a, uri: "https://a.example", broker_provider_slug: p }] -> resources: a must not have a broker provider
broker_providers: [{ slug: a }] -> data_encryption required when broker_providers configured
broker_providers: [{ slug: a }, { slug: a }] -> broker_providers: slug a is there twice
broker_providers: [{ slug: A }] -> broker_providers[0].slug must be 1 to 63 lower-case letters, digits and hyphens, not A
broker_providers: [{ slug: a, protocol: saml }] -> broker_providers[0].protocol must be one of oauth, api_key, service_account
broker_providers: [{ slug: a, config_data: [] }] -> broker_providers[0].config_data must be a mapping, or text that is a JSON object
broker_providers: [{ slug: a, config_data: "{" }] -> broker_providers[0].config_data must be a mapping, or text that is a JSON object
broker_providers: [{ slug: a, config_data: { client_id: "\${ID}" } }] -> broker_providers[0].config_data is still a placeholder
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c }, { slug: a, issuer: "https://idp.example", client_id: c }] } -> oidc.providers: slug a is there twice
oidc: { providers: [{ slug: default, issuer: "https://idp.example", client_id: c }] } -> oidc.providers: the slug default is that of the provider in oidc itself
oidc: { providers: [{ slug: A, issuer: "https://idp.example", client_id: c }] } -> oidc.providers[0].slug must be 1 to 63 lower-case letters
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c, recheck: 15m }] } -> oidc.providers[0].recheck needs encryption at rest, since refresh tokens of the provider are kept for it: set data_encryption.driver
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c, authorization_parameters: { state: x } }] } -> oidc.providers[0].authorization_parameters must be a mapping of texts
oidc: { providers: [{ slug: a }] } -> oidc.providers[0].issuer is required
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c, client_secret: s, client_secret_ref: CONNECTOR_S }] } -> oidc.providers[0]: client_secret and a reference to it are both set
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c, client_secret_ref: PATH }] } -> oidc.providers[0].client_secret_ref must name a variable CONNECTOR_… or AUTHPLANE_VAULT_…
oidc: { providers: [{ slug: a, issuer: "https://idp.example", client_id: c, client_secret_ref: CONNECTOR_S }] } -> oidc.providers[0]: the variable CONNECTOR_S is not set
oidc: { enabled: true, issuer: "https://idp.example", client_id: c, client_secret: s, client_secret_env: PATH } -> oidc: client_secret and a reference to it are both set
resources: [{ slug: a, uri: "https://a.example#b" }] -> resources[0].uri must be an absolute URI without fragment
resources: [{ slug: a, uri: "https://a.example", scopes: [{ name: "a b" }] }] -> resources[0].scopes[0].name must be one scope token
resources: [{ slug: a, uri: "https://a.example", scopes: [{ nmae: a }] }] -> did you mean resources[0].scopes[0].name?
`;

const rowsOf = (table: string): string[][] =>
  table
    .trim()
    .split('\n')
    .map((row) => row.split(' -> '));

const envOf = (written: string): Env =>
  Object.fromEntries(
    written.split('; ').map((pair) => [`AUTHPLANE_${pair.split('=')[0]}`, pair.slice(pair.indexOf('=') + 1)]),
  );

describe('a mistake in the configuration', () => {
  it.each(rowsOf(onLocalhost))('%s is refused', (set = '', line = '') => {
    expect(problems(envOf(set))).toEqual([expect.stringContaining(line)]);
  });

  it.each(rowsOf(inProduction))('[A11] %s is refused off localhost', (set = '', line = '') => {
    expect(problems({ ...production, ...envOf(set) })).toEqual([expect.stringContaining(line)]);
  });

  it.each(rowsOf(inYaml))('%s is refused in YAML', (yaml = '', line = '') => {
    expect(problems({ PATH: 'ab'.repeat(32) }, yaml)).toEqual(expect.arrayContaining([expect.stringContaining(line)]));
  });

  it('is reported together with all others, one line each', () => {
    const env = {
      AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
      AUTHPLANE_RATE_LIMIT_RPS: 'many',
      AUTHPLANE_OAUTH_CODE_TTL: '1d',
    };
    const lines = problems(env, 'dcr: { mode: closed }\nstorage: { drivr: postgres }');
    expect(lines.map((line) => line.split(' ')[0]).toSorted()).toEqual([
      'admin.api_key',
      'dcr.mode',
      'oauth.code_ttl',
      'rate_limit.requests_per_second',
      'session.secret',
      'storage.drivr',
    ]);
  });

  it('names the file that cannot be read', () => {
    expect(() => loadConfig({ env: {}, cwd, yamlPath: 'nowhere.yaml' })).toThrow(
      'nowhere.yaml cannot be read (ENOENT)',
    );
  });

  it('is one line even when it is written in many, and its line is short', () => {
    const [line] = problems({ AUTHPLANE_OAUTH_CODE_TTL: `1\n2${'3'.repeat(5_000)}` });
    expect(line).not.toContain('\n');
    expect(line?.length).toBeLessThan(300);
  });

  it('never repeats a secret', () => {
    const env = {
      ...production,
      AUTHPLANE_SESSION_SECRET: 'tiny-session',
      AUTHPLANE_ADMIN_API_KEY: 'tiny-admin',
      AUTHPLANE_STORAGE_POSTGRES_DSN: 'mysql://u:tiny-password@db',
      AUTHPLANE_REDIS_URL: 'http://u:tiny-redis@db',
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER',
      MASTER: 'tiny-master',
    };
    const lines = problems(env, 'client_secret_pepper: [tiny-pepper]');
    expect(lines).toHaveLength(6);
    expect(lines.join('\n')).not.toContain('tiny');
    expect(problems({}, 'session: {\n  secret: tiny-session').join('\n')).not.toContain('tiny');
  });

  it('is not the lack of a secret that nobody needs', () => {
    expect(problems({ ...production, AUTHPLANE_ADMIN_API_KEY: '', AUTHPLANE_ADMIN_ENABLED: 'false' })).toEqual([]);
    expect(problems({ AUTHPLANE_SERVER_ISSUER: 'http://127.0.0.1:9000/tenant' })).toEqual([]);
  });
});
