import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { encryptionAtRest } from '../upstream/builders.js';

const PLANTED = 'planted-secret-9e41';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { ...encryptionAtRest, VAULT_A: 'a' } });
});
afterAll(() => app?.close());

const config = {
  client_id: 'us',
  client_secret_ref: 'AUTHPLANE_VAULT_A',
  authorize_url: 'https://acme.example/authorize',
  token_url: 'https://acme.example/token',
};
let count = 0;
const create = (config_data: unknown, more: object = {}) =>
  app.admin('POST', '/admin/broker-providers', {
    slug: `a-${count++}`,
    protocol: 'oauth',
    config_data,
    ...more,
  } as object);

const stored = async () => JSON.stringify(await app.sql('select * from broker_providers'));

describe('whoever may write providers cannot make the server give away its own secrets', () => {
  it.each([
    'AUTHPLANE_SESSION_SECRET',
    'AUTHPLANE_ADMIN_API_KEY',
    'AUTHPLANE_TEST_MASTER_KEY',
    'AUTHPLANE_DATA_ENCRYPTION_KEY_ENV',
    'AUTHPLANE_REDIS_URL',
    'PATH',
    'connector_a',
    'CONNECTOR_',
    'CONNECTOR_a',
    'CONNECTOR_1',
    'XCONNECTOR_A',
    ' CONNECTOR_A',
    'CONNECTOR_A ',
    'CONNECTOR_A=B',
    `CONNECTOR_${'A'.repeat(200)}`,
    '__proto__',
    '',
  ])('by a reference to the variable "%s"', async (name) => {
    for (const [protocol, spelling, rest] of [
      ['oauth', 'client_secret_ref', config],
      ['oauth', 'client_secret_env', config],
      ['api_key', 'api_key_ref', {}],
      ['service_account', 'private_key_ref', { client_email: 'us@acme.example' }],
      ['service_account', 'sa_key_env', { client_email: 'us@acme.example' }],
    ] as const) {
      const { client_secret_ref: _, ...others }: Record<string, unknown> = { ...rest };
      const { status, body } = await create({ ...others, [spelling]: name }, { protocol });
      expect([status, body.code]).toEqual([400, 'invalid_request']);
      expect(body.detail).toContain(`config_data.${spelling} must `);
    }
  });

  it('by a reference with a line break at its end', async () => {
    expect((await create({ ...config, client_secret_ref: 'AUTHPLANE_VAULT_A\n' })).status).toBe(400);
  });
});

describe('a secret that is sent along with a mistake', () => {
  it.each<[string, object]>([
    ['a member that is missing', { client_id: undefined }],
    ['a member nobody knows, which is called like it', { [PLANTED]: 1 }],
    ['a URL that holds it', { token_url: `ftp://${PLANTED}` }],
    ['a password in a URL', { token_url: `https://user:${PLANTED}@acme.example/token` }],
    ['a list where text belongs', { client_id: [PLANTED] }],
    ['a reference that is the secret', { client_secret: undefined, client_secret_ref: PLANTED }],
    ['an extra parameter', { extra_auth_params: { state: PLANTED } }],
    ['a secret of a megabyte', { client_secret: PLANTED.repeat(2_000) }],
  ])('(%s) is not repeated, logged or kept', async (_, change) => {
    const { client_secret_ref: __, ...rest } = config;
    const { status, body } = await create({ ...rest, client_secret: PLANTED, ...change });
    expect(status).toBe(400);
    const audit = JSON.stringify(await app.sql('select * from audit_events'));
    const quoted = Object.keys(change).includes(PLANTED)
      ? JSON.stringify(body).replaceAll(PLANTED, '')
      : JSON.stringify(body);
    for (const text of [quoted, audit, app.logged.join('\n'), await stored()]) expect(text).not.toContain(PLANTED);
  });

  it('(JSON that does not parse) is not repeated either', async () => {
    const response = await fetch(`${app.adminUrl}/admin/broker-providers`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.adminKey}`, 'content-type': 'application/json' },
      body: `{"slug":"x","config_data":{"client_secret":"${PLANTED}"`,
    });
    expect(response.status).toBe(400);
    expect(`${await response.text()}${app.logged.join('\n')}`).not.toContain(PLANTED);
  });
});

describe('what this server sets itself cannot be set by extra_auth_params', () => {
  it.each([
    'state',
    'STATE',
    'client_id',
    'client_secret',
    'redirect_uri',
    'response_type',
    'response_mode',
    'scope',
    'code_challenge',
    'code_challenge_method',
    'request',
    'request_uri',
  ])('%s', async (name) => {
    const { status, body } = await create({ ...config, extra_auth_params: { access_type: 'offline', [name]: 'x' } });
    expect(status).toBe(400);
    expect(body.detail).toContain(`config_data.extra_auth_params must not set ${name}`);
  });
});

describe('a URL of a provider', () => {
  it.each([
    'http://169.254.169.254/latest/meta-data',
    'http://[fe80::1]/token',
    'http://2852039166/token',
    'http://0xa9fea9fe/token',
    'http://[::ffff:169.254.169.254]/token',
    'gopher://acme.example/',
    'data:application/json,{}',
    '//acme.example/token',
    'https://acme.example\\@evil.example/token',
    'https://acme.example/a b',
    'https://acme.example/%0a\n',
  ])('cannot be %s', async (url) => {
    for (const member of ['token_url', 'authorize_url', 'revocation_url', 'account_url']) {
      const { status, body } = await create({ ...config, [member]: url, account_member: 'login' });
      expect([status, body.detail]).toEqual([400, expect.stringContaining(`config_data.${member} must be`)]);
    }
  });

  it('is https, unless this server is on localhost itself', async () => {
    const http = { ...config, token_url: 'http://acme.example/token' };
    expect((await create(http)).status).toBe(201);
    const settings = { ...encryptionAtRest, SERVER_ISSUER: 'https://auth.example.com' };
    const production = await startTestApp({ settings });
    try {
      const { status, body } = await production.admin('POST', '/admin/broker-providers', {
        slug: 'acme',
        protocol: 'oauth',
        config_data: http,
      });
      expect([status, body.detail]).toEqual([
        400,
        expect.stringContaining('config_data.token_url must be an https URL'),
      ]);
    } finally {
      await production.close();
    }
  });
});

describe('config_data', () => {
  it.each<[string, string]>([
    ['of 65 KiB', `{"client_id":"${'a'.repeat(66_000)}"}`],
    ['with a prototype', '{"__proto__":{"client_id":"us"}}'],
    ['with a member twice', '{"client_id":"a","client_id":"b"}'],
    ['with its secret twice', '{"client_secret":"a","client_secret":"b"}'],
    ['nested without end', `{"a":${'['.repeat(40)}${']'.repeat(40)}}`],
    ['with U+0000', '{"client_id":"\\u0000"}'],
  ])('%s is refused', async (_, text) => {
    const response = await fetch(`${app.adminUrl}/admin/broker-providers`, {
      method: 'POST',
      headers: { authorization: `Bearer ${app.adminKey}`, 'content-type': 'application/json' },
      body: `{"slug":"refused","protocol":"oauth","config_data":${text}}`,
    });
    expect(response.status).toBe(400);
    expect(await stored()).not.toContain('"refused"');
  });
});

describe('without the operator’s key', () => {
  it.each(['GET', 'POST', 'PATCH', 'DELETE'])(
    '%s is refused, and on the public listener there is no such path',
    async (method) => {
      const path = method === 'GET' || method === 'POST' ? '' : '/00000000-0000-7000-8000-000000000000';
      const { status } = await fetch(`${app.adminUrl}/admin/broker-providers${path}`, { method });
      expect(status).toBe(401);
      expect((await fetch(`${app.url}/admin/broker-providers${path}`, { method })).status).toBe(404);
    },
  );
});

describe('a key of a service account that cannot sign', () => {
  const pem = (type: 'rsa' | 'ec', modulusLength = 2048): string => {
    const { privateKey } =
      type === 'rsa'
        ? generateKeyPairSync('rsa', { modulusLength })
        : generateKeyPairSync('ec', { namedCurve: 'P-256' });
    return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  };
  const account = (private_key: string, more: object = { client_email: 'us@acme.example' }) =>
    app.admin('POST', '/admin/broker-providers', {
      slug: `account-${randomUUID().slice(0, 8)}`,
      protocol: 'service_account',
      config_data: { private_key, ...more },
    });

  it.each([
    ['garbage', 'garbage-7f3a'],
    ['a file without one', '{"client_email":"us@acme.example","private_key":"garbage-7f3a"}'],
    ['a file cut short', '{"private_key":"garbage-7f3a'],
    ['of 1024 bits', pem('rsa', 1024)],
    ['of another kind', pem('ec')],
  ])('(%s) is refused, and not repeated', async (_, key) => {
    const { status, body } = await account(key);
    expect([status, body.detail]).toEqual([400, expect.stringContaining('config_data.private_key must be')]);
    expect(JSON.stringify([body, app.logged])).not.toContain('garbage-7f3a');
  });

  it('is refused, too, where nobody says whose it is; and a good one is taken', async () => {
    const key = pem('rsa');
    expect((await account(key, {})).body.detail).toContain('config_data.client_email is required');
    const { status, body } = await account(key);
    expect([status, body.warnings]).toEqual([201, undefined]);
    expect((await account(pem('ec'), { client_email: 'us@acme.example', algorithm: 'ES256' })).status).toBe(201);
    // What lies in the row no longer fits what is said of it.
    const change = { config_data: { client_email: 'us@acme.example', algorithm: 'ES256' } };
    const patched = await app.admin('PATCH', `/admin/broker-providers/${body.id}`, change);
    expect(patched.body.warnings).toEqual([expect.stringContaining('for ES256')]);
  });
});
