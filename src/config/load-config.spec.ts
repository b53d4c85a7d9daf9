import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Config } from './config.js';
import { configWarnings } from './config-warnings.js';
import { loadConfig } from './load-config.js';
import { unknownVariables } from './unknown-variables.js';

type Env = Record<string, string | undefined>;

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), 'config-'));
});
afterAll(() => rmSync(cwd, { recursive: true, force: true }));

function load(env: Env = {}, yaml?: string): Config {
  if (yaml === undefined) return loadConfig({ env, cwd });
  writeFileSync(join(cwd, 'authplane.yaml'), yaml);
  return loadConfig({ env, cwd, yamlPath: 'authplane.yaml' });
}

const strongKey = 'T9vQ2mZ4xK7wB1nR';
const strongSecret = 'u5Xy8rT1qW4eP7oL0kJ3hG6fD9sA2zXc';
const production: Env = {
  AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
  AUTHPLANE_SESSION_SECRET: strongSecret,
  AUTHPLANE_ADMIN_API_KEY: strongKey,
};

describe('loadConfig', () => {
  it('needs nothing on localhost and binds loopback there', () => {
    const config = load();
    expect(config.isLocal).toBe(true);
    expect(config.server).toMatchObject({
      address: '127.0.0.1:9000',
      issuer: 'http://localhost:9000',
      shutdownWaitSeconds: 10,
    });
    expect(config.admin.address).toBe('127.0.0.1:9001');
    expect(config.dcr).toMatchObject({
      mode: 'open',
      defaultTokenExpirySeconds: 900,
      defaultRefreshExpirySeconds: 604_800,
    });
    expect(config.storage).toMatchObject({ driver: 'embedded', embedded: { path: join(cwd, 'data/postgres') } });
    expect(config.signing).toMatchObject({ algorithm: 'ES256', keyStore: 'keyfile', keyPath: join(cwd, 'data/keys') });
    expect(config.oauth).toMatchObject({
      requireScope: false,
      refreshMaxLifetimeSeconds: 90 * 86_400,
      codeTtlSeconds: 600,
    });
    expect(config.redis.url).toBeUndefined();
    expect(config.issuerUrl.port).toBe('9000');
  });

  it('closes registration and the admin listener off localhost', () => {
    const config = load(production);
    expect(config.isLocal).toBe(false);
    expect(config.dcr.mode).toBe('admin_only');
    expect(config.server.address).toBe(':9000');
    expect(config.admin.address).toBe('127.0.0.1:9001');
  });

  it('binds what was set: all interfaces only off localhost or when the host says so', () => {
    const addresses = { AUTHPLANE_SERVER_ADDRESS: ':80', AUTHPLANE_ADMIN_ADDRESS: '0.0.0.0:81' };
    expect(load(addresses).server.address).toBe('127.0.0.1:80');
    expect(load(addresses).admin.address).toBe('0.0.0.0:81');
    expect(load({ ...production, ...addresses }).server.address).toBe(':80');
    expect(load({ AUTHPLANE_SERVER_ISSUER: 'http://[::1]:9000' }).server.address).toBe('[::1]:9000');
  });

  it('takes defaults, then YAML, then the environment, in which an empty variable is unset', () => {
    const yaml = 'dcr: { mode: approved_redirects, rate_limit: 2.5 }\noauth: { code_ttl: 1m }';
    expect(load({}, yaml).dcr).toMatchObject({ mode: 'approved_redirects', rateLimit: 2.5, rateLimitBurst: 20 });
    expect(load({ AUTHPLANE_DCR_MODE: 'admin_only' }, yaml).dcr.mode).toBe('admin_only');
    expect(load({ AUTHPLANE_DCR_MODE: '' }, yaml).dcr.mode).toBe('approved_redirects');
    expect(load({ AUTHPLANE_OAUTH_CODE_TTL: '2m30s' }, yaml).oauth.codeTtlSeconds).toBe(150);
  });

  it('knows the variables that are not spelled like their key', () => {
    const config = load({ AUTHPLANE_RATE_LIMIT_RPS: '7', AUTHPLANE_LOG_LEVEL: 'debug', AUTHPLANE_LOG_FORMAT: 'text' });
    expect(config.rateLimit.requestsPerSecond).toBe(7);
    expect(config.observability.logging).toMatchObject({ level: 'debug', format: 'text' });
  });

  it('reads lists from YAML and, separated by commas or spaces, from the environment', () => {
    const origins = ['https://a.example', 'https://b.example:8443'];
    expect(load({ AUTHPLANE_SERVER_ALLOWED_ORIGINS: origins.join(', ') }).server.allowedOrigins).toEqual(origins);
    expect(
      load({}, `server: { allowed_origins: [${origins.map((origin) => `"${origin}"`).join(',')}] }`).server
        .allowedOrigins,
    ).toEqual(origins);
  });

  it('is frozen to the last list', () => {
    const config = load({ AUTHPLANE_RESOURCE_URI: 'https://mcp.example.com/mcp', AUTHPLANE_RESOURCE_SCOPES: 'a b' });
    const parts = [
      config,
      config.server,
      config.server.allowedOrigins,
      config.resources,
      config.resources[0]?.scopes[0],
    ];
    expect(parts.map((part) => Object.isFrozen(part))).toEqual([true, true, true, true, true]);
    expect(() => Object.assign(config.session, { secret: 'another' })).toThrow(TypeError);
  });

  it('reads a provider from YAML, as a mapping or as JSON text, and one from the environment', () => {
    const env = {
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER',
      MASTER: 'ab'.repeat(32),
      AUTHPLANE_BROKER_PROVIDER_SLUG: 'from-env',
      AUTHPLANE_BROKER_PROVIDER_CLIENT_ID: 'us',
      AUTHPLANE_BROKER_PROVIDER_CLIENT_SECRET_REF: 'CONNECTOR_A',
      AUTHPLANE_BROKER_PROVIDER_PRESET: 'github',
    };
    const yaml = `broker_providers:
      - { slug: one, display_name: One, config_data: { client_id: us, client_secret: hidden-in-yaml } }
      - { slug: two, protocol: api_key, config_data: '{ "api_key": "hidden-too" }' }`;
    const { brokerProviders } = load(env, yaml);
    expect(brokerProviders.map(({ slug, protocol, configData }) => [slug, protocol, configData])).toEqual([
      ['one', 'oauth', '{"client_id":"us","client_secret":"hidden-in-yaml"}'],
      ['two', 'api_key', '{ "api_key": "hidden-too" }'],
      ['from-env', 'oauth', '{"preset":"github","client_id":"us","client_secret_ref":"CONNECTOR_A"}'],
    ]);
    expect(JSON.stringify(brokerProviders)).not.toContain('hidden');
  });

  it('reads secrets that rows name only under their prefixes', () => {
    const env = {
      CONNECTOR_A: 'a',
      AUTHPLANE_VAULT_B: 'b',
      AUTHPLANE_SESSION_SECRET: 's'.repeat(32),
      CONNECTOR_: 'x',
      AUTHPLANE_VAULT_ADDR: 'https://vault',
      AUTHPLANE_VAULT_APPROLE_ROLE_ID: 'role',
      AUTHPLANE_VAULT_APPROLE_SECRET_ID: 'secret',
    };
    const { secretReferences: references } = load(env);
    expect(['CONNECTOR_A', 'AUTHPLANE_VAULT_B'].map((name) => references.read(name))).toEqual(['a', 'b']);
    const others = [
      'AUTHPLANE_SESSION_SECRET',
      'PATH',
      'CONNECTOR_',
      'CONNECTOR_a',
      ' CONNECTOR_A',
      'CONNECTOR_A\n',
      'XCONNECTOR_A',
      '',
    ];
    // Its own secrets of that prefix: a provider would be shown them.
    const own = ['TOKEN', 'ADDR', 'APPROLE_ROLE_ID', 'APPROLE_SECRET_ID', 'TRANSIT_KEY_NAME'];
    others.push(...own.map((name) => `AUTHPLANE_VAULT_${name}`));
    expect(others.map((name) => references.read(name))).toEqual(others.map(() => undefined));
    expect(`${JSON.stringify(load(env))}${JSON.stringify(references)}`).not.toContain('"a"');
  });

  it('shows no secret when a section is printed', () => {
    const config = load({
      ...production,
      AUTHPLANE_CLIENT_SECRET_PEPPER: 'pepper-pepper',
      AUTHPLANE_STORAGE_POSTGRES_DSN: 'postgres://u:dsn-password@db/x',
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER',
      MASTER: 'AB'.repeat(32),
    });
    expect(config.dataEncryption.masterKey).toBe('ab'.repeat(32));
    expect(config.session.secret).toBe(strongSecret);
    const vault = load({
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS: 'https://vault.example.com',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME: 'authplane',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV: 'VAULT_TOKEN',
      VAULT_TOKEN: 'hvs.the-token',
    });
    expect(vault.dataEncryption.vaultTransitEncrypt.credentials).toEqual({ token: 'hvs.the-token' });
    const printed = JSON.stringify([config, vault]);
    for (const secret of [strongKey, strongSecret, 'pepper-pepper', 'dsn-password', 'ab'.repeat(32), 'hvs.']) {
      expect(printed).not.toContain(secret);
    }
  });

  it('seeds resources from YAML, and one more from the environment', () => {
    const yaml = `
resources:
  - slug: files
    uri: https://files.example.com
    display_name: Files
    scopes:
      - { name: files.read, description: Read your files }
      - { name: files.write, default: false }
    policy: { runtime: { client_ids: [files-server] } }`;
    const { resources } = load(
      {
        AUTHPLANE_RESOURCE_URI: 'https://mcp.example.com:8443/mcp',
        AUTHPLANE_RESOURCE_SCOPES: 'tools.read tools.call',
      },
      yaml,
    );
    expect(resources).toMatchObject([
      {
        slug: 'files',
        backendKind: 'mint',
        scopes: [
          { name: 'files.read', description: 'Read your files', default: true },
          { name: 'files.write', default: false },
        ],
        policy: { exchange: { allowedClientIds: [] }, runtime: { clientIds: ['files-server'] } },
      },
      {
        slug: 'mcp-example-com-8443-mcp',
        uri: 'https://mcp.example.com:8443/mcp',
        scopes: [{ name: 'tools.read' }, { name: 'tools.call' }],
      },
    ]);
  });

  it('accepts and ignores what older files carry', () => {
    const yaml = 'session: { secure: false, same_site: none, fail_closed: false }';
    expect(load({ AUTHPLANE_SESSION_SECURE: 'maybe' }, yaml).session.secure).toBeUndefined();
  });
});

describe('variables', () => {
  const warnings = (env: Env, yaml?: string): string[] => unknownVariables(load(env, yaml), env);

  it('name the former master key as well', () => {
    const env = {
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'NEW',
      AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV: 'OLD',
      NEW: 'ab'.repeat(32),
      OLD: 'cd'.repeat(32),
    };
    expect(load(env).dataEncryption.oldMasterKey).toBe('cd'.repeat(32));
    expect(warnings(env)).toEqual([]);
  });

  it.each([
    ['AUTHPLANE_SESION_SECRET', 'did you mean AUTHPLANE_SESSION_SECRET?'],
    ['AUTHPLANE_DATA_ENCRYPTION_AES_MASTER_KEY_ENV', 'did you mean AUTHPLANE_DATA_ENCRYPTION_KEY_ENV?'],
    ['AUTHPLANE_BROKER_PROVIDERS', 'broker_providers is set in the YAML file only'],
    ['AUTHPLANE_VAULT_TRANSIT_KEYNAME', 'did you mean AUTHPLANE_VAULT_TRANSIT_KEY_NAME?'],
    ['AUTHPLANE_SERVER_PORT', 'docs/reference/settings.md has all of them'],
    ['AUTHPLANE_QUITE_ANOTHER_THING', 'docs/reference/settings.md has all of them'],
  ])('%s, which is none of ours, is told at boot', (name, advice) => {
    expect(warnings({ [name]: 'a secret' })).toEqual([`${name} is not a setting and is not read; ${advice}`]);
  });

  it.each([
    ['AUTHPLANE_SERVICE_HOST', '10.0.0.1'],
    ['AUTHPLANE_SERVICE_PORT', '9000'],
    ['AUTHPLANE_SERVICE_PORT_HTTP', '9000'],
    ['AUTHPLANE_PORT', 'tcp://10.0.0.1:9000'],
    ['AUTHPLANE_PORT_9000_TCP', 'tcp://10.0.0.1:9000'],
    ['AUTHPLANE_PORT_9000_TCP_ADDR', '10.0.0.1'],
    ['AUTHPLANE_ADMIN_SERVICE_HOST', '10.0.0.1'],
    ['AUTHPLANE_ADMIN_PORT', 'tcp://10.0.0.1:9001'],
    ['AUTHPLANE_VAULT_GITHUB', 'a secret'],
    ['AUTHPLANE_ADMIN_URL', 'http://127.0.0.1:9001'],
    ['AUTHPLANE_SESSION_SECURE', 'true'],
    ['AUTHPLANE_SESION_SECRET', ''],
    ['OTHER_SESION_SECRET', 'x'],
  ])('%s=%s is nobody’s mistake', (name, value) => {
    expect(warnings({ [name]: value })).toEqual([]);
  });

  it('that a setting names are no mistake either', () => {
    const yaml = 'data_encryption: { driver: aes_master, aes_master: { key_env: AUTHPLANE_MASTER_KEY } }';
    const env = { AUTHPLANE_MASTER_KEY: 'ab'.repeat(32) };
    expect(warnings(env, yaml)).toEqual([]);
    expect(warnings(env)).toHaveLength(1);
  });
});

describe('configWarnings', () => {
  it('is silent on localhost with the defaults', () => {
    expect(configWarnings(load())).toEqual([]);
  });

  it.each<[Env, string]>([
    [{ ...production, AUTHPLANE_DCR_MODE: 'open' }, 'dcr.mode is open'],
    [{ ...production, AUTHPLANE_DCR_MODE: 'open' }, 'oauth.default_client_scope is empty'],
    [production, 'server.allowed_origins is empty'],
    [production, 'server.trusted_proxies is empty'],
    [{ AUTHPLANE_CIMD_ALLOW_PRIVATE_ADDRESSES: 'true' }, 'cimd.allow_private_addresses is true'],
    [{ AUTHPLANE_CIMD_REQUIRE_HTTPS: 'false' }, 'cimd.require_https is false'],
    [{ AUTHPLANE_OAUTH_REFRESH_RETRY_WINDOW_PUBLIC: '5s' }, 'oauth.refresh_retry_window_public is above 0'],
    [{ AUTHPLANE_STORAGE_DRIVER: 'postgres', AUTHPLANE_STORAGE_POSTGRES_DSN: 'postgres://db/x' }, 'redis.url is unset'],
  ])('with %o says what to know', (env, line) => {
    expect(configWarnings(load(env))).toEqual(expect.arrayContaining([expect.stringContaining(line)]));
  });
});
