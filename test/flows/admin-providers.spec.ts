import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aFlow, aResource, audited } from '../builders.js';
import { aBrokerResource, encryptionAtRest } from '../upstream/builders.js';

const SECRET = 'planted-client-secret-7c0de';

let app: TestApp;
let bare: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { ...encryptionAtRest, VAULT_ACME: 'from-the-environment' } });
  bare = await startTestApp();
});
afterAll(() => Promise.all([app?.close(), bare?.close()]));

let count = 0;
const config = {
  client_id: 'us',
  client_secret_ref: 'AUTHPLANE_VAULT_ACME',
  authorize_url: 'https://acme.example/authorize',
  token_url: 'https://acme.example/token',
};
const draft = (config_data: object = config): Record<string, unknown> => {
  count += 1;
  return { slug: `acme-${count}`, display_name: 'Acme', protocol: 'oauth', config_data };
};
const create = async (config_data?: object) =>
  (await app.admin('POST', '/admin/broker-providers', draft(config_data))).body;

/** The bytes of an answer, to a body that is sent as it is. */
async function raw(method: string, path: string, body?: string): Promise<{ status: number; text: string }> {
  const response = await fetch(`${app.adminUrl}${path}`, {
    method,
    headers: { authorization: `Bearer ${app.adminKey}`, ...(body && { 'content-type': 'application/json' }) },
    body,
  });
  expect(response.headers.get('content-type')).toMatch(/^application\/(problem\+)?json/);
  return { status: response.status, text: await response.text() };
}

describe('an operator registers a provider', () => {
  it('and gets every member back, now and later', async () => {
    const { status, body } = await app.admin('POST', '/admin/broker-providers', draft());
    expect(status).toBe(201);
    expect(body).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      slug: `acme-${count}`,
      display_name: 'Acme',
      protocol: 'oauth',
      config_data: config,
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    expect((await app.admin('GET', `/admin/broker-providers/${body.id}`)).body).toEqual(body);
    const { body: list } = await app.admin('GET', `/admin/broker-providers?slug=acme-${count}`);
    expect(list).toEqual({ providers: [body] });
    expect((await audited(app, 'broker_provider.created'))[0]).toMatchObject({
      detail: { id: body.id, slug: body.slug },
    });
  });

  it('and config_data comes back byte for byte', async () => {
    const text = `{ "token_url" : "https:\\/\\/acme.example/token","client_id":"\\u0075s",
      "client_secret_ref":"AUTHPLANE_VAULT_ACME",   "authorize_url":"https://acme.example/authorize?b=1&a=2","pkce":true }`;
    const created = await raw(
      'POST',
      '/admin/broker-providers',
      `{"config_data":${text},"slug":"bytes","protocol":"oauth"}`,
    );
    expect(created.status).toBe(201);
    const { id } = JSON.parse(created.text) as { id: string };
    const list = await raw('GET', '/admin/broker-providers');
    for (const answer of [created, list, await raw('GET', `/admin/broker-providers/${id}`)])
      expect(answer.text).toContain(`"config_data":${text},`);
  });

  it('and a secret in it is sealed in the row: no answer, audit row or log line has it', async () => {
    const { client_secret_ref: _, ...rest } = config;
    const { slug } = draft();
    const body = `{"slug":"${slug}","protocol":"oauth","config_data":{"client_secret":"${SECRET}", "pkce": true ,${JSON.stringify(rest).slice(1)}}`;
    const created = await raw('POST', '/admin/broker-providers', body);
    expect(created.status).toBe(201);
    expect(created.text).toContain(`"config_data":{"pkce": true ,${JSON.stringify(rest).slice(1)}`);
    const { id } = JSON.parse(created.text) as { id: string };
    const seen = [
      created.text,
      (await raw('GET', `/admin/broker-providers/${id}`)).text,
      (await raw('GET', '/admin/broker-providers')).text,
      JSON.stringify(await app.sql('select * from broker_providers')),
      JSON.stringify(await app.sql('select * from audit_events')),
      app.logged.join('\n'),
    ];
    for (const text of seen) expect(text).not.toContain(SECRET);
    const [row] = await app.sql('select sealed_secret from broker_providers where id = $1', [id]);
    expect(row?.sealed_secret).toEqual(expect.any(String));
  });

  it.each<[what: string, change: object, named: string]>([
    ['without client_id', { client_id: undefined }, 'config_data.client_id is required'],
    [
      'without a secret',
      { client_secret_ref: undefined },
      'config_data.client_secret_ref or config_data.client_secret is required',
    ],
    [
      'with two secrets',
      { client_secret: 'x' },
      'config_data.client_secret and config_data.client_secret_ref exclude each other',
    ],
    [
      'with a secret that is a number',
      { client_secret_ref: undefined, client_secret: 1 },
      'config_data.client_secret must be text',
    ],
    ['with a secret and method none', { token_auth_method: 'none' }, 'config_data.token_auth_method must not be none'],
    [
      'with both spellings',
      { client_secret_env: 'CONNECTOR_A' },
      'config_data.client_secret_env and config_data.client_secret_ref',
    ],
    ['without token_url', { token_url: undefined }, 'config_data.token_url is required'],
    ['with a token_url that is a word', { token_url: 'acme' }, 'config_data.token_url must be'],
    ['with a token_url that is a file', { token_url: 'file:///etc/passwd' }, 'config_data.token_url must be'],
    ['with a password in token_url', { token_url: 'https://a:b@acme.example/' }, 'config_data.token_url must be'],
    ['with a javascript authorize_url', { authorize_url: 'javascript:alert(1)' }, 'config_data.authorize_url must be'],
    ['with a fragment', { authorize_url: 'https://acme.example/#a' }, 'config_data.authorize_url must be'],
    ['with a method nobody knows', { token_auth_method: 'basic' }, 'config_data.token_auth_method must be one of'],
    ['with pkce as text', { pkce: 'no' }, 'config_data.pkce must be true or false'],
    ['with require_iss and no issuer', { require_iss: true }, 'config_data.issuer is required'],
    ['with a member nobody knows', { requier_iss: true }, 'config_data has requier_iss, which is not known'],
    ['with a preset nobody knows', { preset: 'gitbub' }, 'config_data.preset must be one of'],
    ['with a preset of the prototype', { preset: 'constructor' }, 'config_data.preset must be one of'],
    [
      'with 21 extra parameters',
      { extra_auth_params: Object.fromEntries(Array.from({ length: 21 }, (_, i) => [`p${i}`, '1'])) },
      'config_data.extra_auth_params must be an object of at most 20 pairs',
    ],
    [
      'with an extra parameter that is a number',
      { extra_auth_params: { a: 1 } },
      'config_data.extra_auth_params must be an object',
    ],
    [
      'with no PKCE and no secret',
      { client_secret_ref: undefined, token_auth_method: 'none', pkce: false },
      'config_data.pkce must be true',
    ],
  ])('%s, and is told which member is wrong', async (_, change, named) => {
    const { status, body } = await app.admin('POST', '/admin/broker-providers', draft({ ...config, ...change }));
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'invalid_request', detail: expect.stringContaining(named) });
  });

  it.each<[string, object]>([
    ['a slug in capitals', { slug: 'Acme' }],
    ['a slug with a slash', { slug: 'a/b' }],
    ['no slug', { slug: undefined }],
    ['a protocol nobody knows', { protocol: 'saml' }],
    ['config_data as text', { config_data: '{}' }],
    ['config_data as a list', { config_data: [] }],
    ['no config_data', { config_data: undefined }],
    ['a sealed secret', { sealed_secret: 'v1:aaaa' }],
  ])('with %s: 400', async (_, change) => {
    expect((await app.admin('POST', '/admin/broker-providers', { ...draft(), ...change })).status).toBe(400);
  });

  it('with config_data twice: 400, so that nobody reads another one than was checked', async () => {
    const good = JSON.stringify(config);
    const body = `{"slug":"twice","protocol":"oauth","config_data":${good},"config_data":${good}}`;
    expect((await raw('POST', '/admin/broker-providers', body)).status).toBe(400);
  });

  it('with a slug that is taken: 409', async () => {
    const { slug } = await create();
    const { status, body } = await app.admin('POST', '/admin/broker-providers', { ...draft(), slug });
    expect([status, body.code]).toEqual([409, 'broker_provider_exists']);
  });

  it('without encryption at rest: 409, and nothing is stored', async () => {
    const { status, body } = await bare.admin('POST', '/admin/broker-providers', draft());
    expect(status).toBe(409);
    expect(body.detail).toBe('data_encryption required when broker_providers configured');
    expect(await bare.sql('select * from broker_providers')).toEqual([]);
  });

  it('with a preset: what is known about it need not be said', async () => {
    for (const preset of ['github', 'google', 'slack', 'notion', 'linear', 'atlassian']) {
      const body = await create({ preset, client_id: 'us', client_secret_ref: 'AUTHPLANE_VAULT_ACME' });
      expect(body.config_data).toEqual({ preset, client_id: 'us', client_secret_ref: 'AUTHPLANE_VAULT_ACME' });
    }
    const { status } = await app.admin(
      'POST',
      '/admin/broker-providers',
      draft({ preset: 'generic', client_id: 'us' }),
    );
    expect(status).toBe(400);
  });
});

describe('an operator changes a provider', () => {
  const policyEpoch = async () => Number((await app.sql('select epoch from policy_epoch'))[0]?.epoch);

  it('and what is not named stays; the policy epoch moves on', async () => {
    const provider = await create();
    const before = await policyEpoch();
    const { status, body } = await app.admin('PATCH', `/admin/broker-providers/${provider.id}`, { display_name: '' });
    expect([status, body]).toEqual([200, { ...provider, display_name: '', updated_at: body.updated_at }]);
    expect(await policyEpoch()).toBeGreaterThan(before);
    expect((await audited(app, 'broker_provider.patched'))[0]?.detail).toEqual({
      id: provider.id,
      slug: provider.slug,
      fields: ['displayName'],
    });
  });

  it('and the sealed secret stays, is replaced, or goes when the environment has it', async () => {
    const { client_secret_ref: reference, ...rest } = config;
    const { id } = await create({ ...rest, client_secret: SECRET });
    const sealed = async () =>
      (await app.sql('select sealed_secret from broker_providers where id = $1', [id]))[0]?.sealed_secret;
    const patch = (config_data: object) => app.admin('PATCH', `/admin/broker-providers/${id}`, { config_data });
    const first = await sealed();
    expect((await patch({ ...rest, pkce: false })).body.config_data).toEqual({ ...rest, pkce: false });
    expect(await sealed()).toBe(first);
    await patch({ ...rest, client_secret: 'another' });
    expect(await sealed()).not.toBe(first);
    expect((await patch({ ...rest, client_secret_ref: reference })).status).toBe(200);
    expect(await sealed()).toBeNull();
    expect((await patch(rest)).status).toBe(400);
  });

  it('and the record says where credentials go from now on, and that the secret is another; never what it is', async () => {
    const { client_secret_ref: _, ...rest } = config;
    const { id, slug } = await create({ ...rest, client_secret: SECRET });
    const token_url = 'https://elsewhere.example:8443/token?key=planted';
    const config_data = { ...rest, token_url, client_secret: `${SECRET}-2`, scope_separator: ',' };
    expect((await app.admin('PATCH', `/admin/broker-providers/${id}`, { slug, config_data })).status).toBe(200);
    const detail = (await audited(app, 'broker_provider.patched'))[0]?.detail as any;
    expect(detail).toEqual({
      id,
      slug,
      fields: ['slug', 'configData'],
      config_members: expect.any(Array),
      moved: [{ member: 'token_url', from: 'https://acme.example', to: 'https://elsewhere.example:8443' }],
    });
    expect(detail.config_members.toSorted()).toEqual(['client_secret', 'scope_separator', 'token_url']);
    expect(JSON.stringify(detail)).not.toContain('planted');
  });

  it('to something that is wrong: 400, and it stays as it was', async () => {
    const provider = await create();
    const { status } = await app.admin('PATCH', `/admin/broker-providers/${provider.id}`, { config_data: {} });
    expect(status).toBe(400);
    expect((await app.admin('GET', `/admin/broker-providers/${provider.id}`)).body).toEqual(provider);
  });

  it('to a slug that is taken: 409', async () => {
    const [one, other] = [await create(), await create()];
    const { status } = await app.admin('PATCH', `/admin/broker-providers/${one.id}`, { slug: other.slug });
    expect(status).toBe(409);
  });

  it.each(['00000000-0000-4000-8000-000000000000', 'x'])('of id %s: 404', async (id) => {
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const { status, body } = await app.admin(
        method,
        `/admin/broker-providers/${id}`,
        method === 'PATCH' ? {} : undefined,
      );
      expect([status, body.code]).toEqual([404, 'broker_provider_not_found']);
    }
  });
});

describe('an operator deletes a provider', () => {
  it('and it is gone; not while a resource leads to it', async () => {
    const provider = await create();
    const resource = await aBrokerResource(app, provider);
    const path = `/admin/broker-providers/${provider.id}`;
    const { status, body } = await app.admin('DELETE', path);
    expect([status, body.code]).toEqual([409, 'broker_provider_in_use']);
    expect(body.detail).toContain(resource.slug);
    await app.admin('DELETE', `/admin/resources/${resource.id}`);
    expect((await app.admin('DELETE', path)).status).toBe(204);
    expect((await app.admin('GET', path)).status).toBe(404);
    expect((await audited(app, 'broker_provider.deleted'))[0]?.detail).toEqual({
      id: provider.id,
      slug: provider.slug,
    });
  });
});

describe('a broker resource', () => {
  it('names its provider by id, by slug, or by both if they agree', async () => {
    const [one, other] = [await create(), await create()];
    for (const named of [
      { broker_provider_id: one.id },
      { broker_provider_id: undefined, broker_provider_slug: one.slug },
      { broker_provider_id: one.id, broker_provider_slug: one.slug },
    ]) {
      const { id, uri } = await aBrokerResource(app, one, named);
      const { body } = await app.admin('GET', `/admin/resources/${id}`);
      expect(body).toMatchObject({ uri, backend_kind: 'broker', broker_provider_id: one.id });
      expect(body.policy).toHaveProperty('connect', { allowed_return_urls: [] });
    }
    const inconsistent = aBrokerResource(app, one, { broker_provider_slug: other.slug });
    await expect(inconsistent).rejects.toThrow(/400.*name different providers/);
  });

  it.each<[string, object, RegExp]>([
    ['a provider', { broker_provider_id: undefined }, /broker_provider_id or broker_provider_slug is required/],
    ['a provider that there is', { broker_provider_id: '00000000-0000-4000-8000-000000000000' }, /is no provider/],
    ['a slug that there is', { broker_provider_id: undefined, broker_provider_slug: 'nobody' }, /is no provider/],
    ['a URI', { uri: undefined }, /uri is required for a broker resource/],
    [
      'upstream scopes of one word',
      { scopes: [{ name: 'a', upstream: 'repo user' }] },
      /upstream of a scope is one word/,
    ],
  ])('needs %s', async (_, change, told) => {
    const provider = await create();
    await expect(aBrokerResource(app, provider, { ...change })).rejects.toThrow(told);
  });

  it('moves to another provider, and becomes a mint resource only without one', async () => {
    const [one, other] = [await create(), await create()];
    const { id } = await aBrokerResource(app, one);
    const patch = (change: object) => app.admin('PATCH', `/admin/resources/${id}`, change);
    expect((await patch({ broker_provider_slug: other.slug })).body.broker_provider_id).toBe(other.id);
    expect((await patch({ backend_kind: 'mint' })).status).toBe(400);
    const { body } = await patch({ backend_kind: 'mint', broker_provider_id: null });
    expect(body).toMatchObject({ backend_kind: 'mint', broker_provider_id: '' });
  });

  it('cannot be made of a mint resource that others are fronted by', async () => {
    const provider = await create();
    const [source, target] = [await aResource(app), await aBrokerResource(app, provider)];
    const link = { source: source.slug, target: target.slug, scope_map: { 'notes:read': ['read'] } };
    expect((await app.admin('POST', '/admin/fronting', link)).status).toBe(201);
    const change = { backend_kind: 'broker', broker_provider_id: provider.id };
    const { status, body } = await app.admin('PATCH', `/admin/resources/${source.id}`, change);
    expect([status, body.code, body.dependents.length]).toEqual([409, 'resource_fronted', 1]);
  });

  it('is refused a provider when it is of kind mint', async () => {
    const { id } = await create();
    await expect(aResource(app, { broker_provider_id: id })).rejects.toThrow(
      /broker_provider_id is for broker resources/,
    );
  });
});

/** Whatever is called like a secret. */
const secretMember =
  /secret(?!_ref$|_env$)|credential|password|api_key(?!_ref$)|private_key(?!_ref$|_id$)|sealed|hash|refresh_token$|access_token$/;

function membersOf(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(membersOf);
  return Object.entries(value).flatMap(([name, member]) => [name, ...membersOf(member)]);
}

describe('no answer of the operator’s API', () => {
  it('has a member for a credential, wherever one is stored', async () => {
    const { client_secret_ref: _, ...rest } = config;
    const provider = await create({ ...rest, client_secret: SECRET });
    await aBrokerResource(app, provider);
    const flow = await aFlow(app);
    await aClient(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const paths = [
      '/admin/broker-providers',
      `/admin/broker-providers/${provider.id}`,
      '/admin/resources',
      '/admin/clients',
      '/admin/users',
      `/admin/users/${flow.user.id}`,
      `/admin/users/${flow.user.id}/grants`,
      `/admin/users/${flow.user.id}/tokens`,
      '/admin/stats',
      '/admin/system/status',
      '/admin/system/config',
      '/admin/audit?limit=1000',
      '/admin/keys',
    ];
    for (const path of paths) {
      const { status, body } = await app.admin('GET', path);
      expect([path, status]).toEqual([path, 200]);
      const offending = membersOf(body).filter((name) => secretMember.test(name) && name !== 'client_credentials');
      expect([path, offending]).toEqual([path, []]);
      expect(JSON.stringify(body)).not.toContain(SECRET);
    }
  });
});
