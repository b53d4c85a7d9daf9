import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aResource, aUser } from '../builders.js';
import { rawRequest, type RawRequest } from '../raw-request.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

const raw = (path: string, sent?: RawRequest) => rawRequest(app.adminUrl, path, sent);
const authorized = (): Record<string, string> => ({ authorization: `Bearer ${app.adminKey}` });

describe('a request with more than it may say', () => {
  it.each<[path: string, draft: () => Record<string, unknown>, stolen: Record<string, unknown>]>([
    ['/admin/clients', () => ({ client_name: 'x', redirect_uris: ['https://x.example/cb'] }), { client_id: 'chosen' }],
    [
      '/admin/clients',
      () => ({ client_name: 'x', redirect_uris: ['https://x.example/cb'] }),
      { registration_source: 'cimd' },
    ],
    [
      '/admin/clients',
      () => ({ client_name: 'x', redirect_uris: ['https://x.example/cb'] }),
      { client_secret: 'known' },
    ],
    ['/admin/users', () => ({ email: 'm@a.example', password: 'a long enough password' }), { id: 'chosen' }],
    [
      '/admin/users',
      () => ({ email: 'm@a.example', password: 'a long enough password' }),
      { password_hash: '$argon2id$' },
    ],
    ['/admin/users', () => ({ email: 'm@a.example', password: 'a long enough password' }), { provider: 'oidc' }],
    ['/admin/resources', () => ({ slug: 'mass', uri: 'https://mass.example', backend_kind: 'mint' }), { id: 'chosen' }],
    [
      '/admin/resources',
      () => ({ slug: 'mass', uri: 'https://mass.example', backend_kind: 'mint' }),
      { uri_normal: 'x' },
    ],
  ])('at %s is refused whole, and the member is named', async (path, draft, stolen) => {
    const { status, body } = await app.admin('POST', path, { ...draft(), ...stolen });
    expect(status).toBe(400);
    expect(body.detail).toContain(Object.keys(stolen)[0]);
  });

  it('cannot reach a prototype', async () => {
    const text = '{"mode":"open","__proto__":{"mode":"admin_only"},"constructor":{"prototype":{"polluted":1}}}';
    const headers = { ...authorized(), 'content-type': 'application/json' };
    await raw('/admin/settings/dcr', { method: 'PATCH', headers, body: text });
    await raw('/admin/clients?__proto__=x&constructor=y', { headers: authorized() });
    expect((await app.admin('GET', '/admin/settings/dcr')).body).toEqual({ mode: 'open' });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe('input that is meant to break something', () => {
  const injections = ["' or '1'='1", "'; drop table clients; --", '$1', '\\', '%', '_', '{}', '[]', '../../etc/passwd'];

  it.each(injections)('%j finds nothing and harms nothing', async (text) => {
    const encoded = encodeURIComponent(text);
    const { id } = await aClient(app);
    const answers = await Promise.all([
      app.admin('GET', `/admin/clients/${encoded}`),
      app.admin('GET', `/admin/users/${encoded}`),
      app.admin('GET', `/admin/resources/${encoded}`),
      app.admin('GET', `/admin/resources/${encoded}/policy/runtime/client-ids`),
      app.admin('GET', `/admin/issuances/${encoded}`),
      app.admin('DELETE', `/admin/keys/${encoded}`),
      app.admin('DELETE', `/admin/tokens/${encoded}`),
      app.admin('DELETE', `/admin/grants/consent/${encoded}`),
    ]);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 404));
    const searched = await app.admin('GET', `/admin/audit?action=${encoded}&client_id=${encoded}`);
    expect(searched).toMatchObject({ status: 200, body: { events: [] } });
    expect((await app.admin('GET', `/admin/issuances?client=${encoded}`)).body.issuances).toEqual([]);
    expect((await app.admin('GET', `/admin/clients?cursor=${encoded}`)).status).toBe(200);
    expect((await app.admin('GET', `/admin/clients/${id}`)).status).toBe(200);
  });

  it.each(['%00', 'x%00', '%0a', '%ed%a0%80', '%ff', '%', 'x'.repeat(3000)])(
    'as a path id %j is nobody',
    async (id) => {
      for (const noun of ['clients', 'users', 'resources', 'issuances']) {
        const { status } = await raw(`/admin/${noun}/${id}`, { headers: authorized() });
        expect([400, 404]).toContain(status);
      }
      const policy = await raw(`/admin/resources/${id}/policy/runtime/client-ids`, { headers: authorized() });
      expect([400, 404]).toContain(policy.status);
    },
  );

  it.each([
    'limit=1;drop',
    'limit=1e3',
    'limit=0x10',
    'limit=1&limit=2',
    'cursor=%00',
    'cursor=%ff',
    'status=active%00',
  ])('as a query %j is refused', async (query) => {
    expect((await raw(`/admin/clients?${query}`, { headers: authorized() })).status).toBe(400);
  });

  it.each<[what: string, member: Record<string, unknown>]>([
    ['U+0000 in a name', { client_name: 'a\u0000b' }],
    ['half a surrogate pair in a name', { client_name: 'a\ud800b' }],
    ['an escape sequence for the terminal in a name', { client_name: '\u001b[2Jowned' }],
    ['U+0000 in a redirect', { redirect_uris: ['https://x.example/\u0000'] }],
    ['U+0000 in a scope', { scope: 'a\u0000' }],
    ['51 redirects', { redirect_uris: Array.from({ length: 51 }, (_, index) => `https://x.example/${index}`) }],
    ['a redirect of 3,000 characters', { redirect_uris: [`https://x.example/${'x'.repeat(3000)}`] }],
    ['a name of 100,000 characters', { client_name: 'x'.repeat(100_000) }],
    ['an object for a name', { client_name: { toString: 'x' } }],
    ['a list for a name', { client_name: ['x'] }],
    ['an object among the redirects', { redirect_uris: [{}] }],
    ['a number that is none', { access_token_ttl: 1e308 }],
    ['half a second', { access_token_ttl: 0.5 }],
  ])('%s is refused with a sentence', async (_, member) => {
    const { status, body } = await app.admin('POST', '/admin/clients', {
      client_name: 'x',
      redirect_uris: ['https://x.example/cb'],
      ...member,
    });
    expect([status, typeof body.detail]).toEqual([400, 'string']);
    expect(JSON.stringify(body).length).toBeLessThan(2_000);
  });

  it('in a user or a resource is refused, too', async () => {
    const password = 'a long enough password';
    for (const draft of [
      { email: 'a\u0000@b.example', password },
      { email: 'a@b.example', password, name: '\ud800' },
    ]) {
      expect((await app.admin('POST', '/admin/users', draft)).status).toBe(400);
    }
    const resource = { slug: 'nul', uri: 'https://nul.example/', backend_kind: 'mint' };
    for (const change of [
      { policy: { runtime: { client_ids: Array.from({ length: 501 }, (_, index) => `client-${index}`) } } },
      { display_name: '\u0000' },
      { uri: 'https://nul.example/\u0000' },
      { scopes: [{ name: 'a', description: '\u0000' }] },
    ]) {
      expect((await app.admin('POST', '/admin/resources', { ...resource, ...change })).status).toBe(400);
    }
    const { slug } = await aResource(app);
    expect(
      (await app.admin('POST', `/admin/resources/${slug}/policy/runtime/client-ids`, { client_id: '\u0000' })).status,
    ).toBe(400);
  });

  it('NUL in a password is a character of it, and nothing breaks', async () => {
    const user = await aUser(app, { password: 'a long \u0000 enough password' });
    expect((await app.admin('GET', `/admin/users/${user.id}`)).status).toBe(200);
  });

  it.each(['[]', '"text"', '1', 'null', '{"client_name":'])('a body %s is no request', async (body) => {
    const headers = { ...authorized(), 'content-type': 'application/json' };
    expect((await raw('/admin/clients', { method: 'POST', headers, body })).status).toBe(400);
    expect((await raw('/admin/settings/dcr', { method: 'PATCH', headers, body })).status).toBe(400);
  });

  it('a body of two megabytes is too large, and a deeply nested one is refused', async () => {
    const headers = { ...authorized(), 'content-type': 'application/json' };
    const large = JSON.stringify({ client_name: 'x'.repeat(2 * 1024 * 1024) });
    expect((await raw('/admin/clients', { method: 'POST', headers, body: large })).status).toBe(413);
    for (const depth of [20, 20_000, 400_000]) {
      const deep = `{"client_name":${'['.repeat(depth)}${']'.repeat(depth)}}`;
      expect((await raw('/admin/clients', { method: 'POST', headers, body: deep })).status).toBe(400);
    }
  });
});

describe('what the operator reads', () => {
  it('never holds a password, a hash, a secret or a private key', async () => {
    const { id, secret } = await aClient(app, { token_endpoint_auth_method: 'client_secret_post' });
    const user = await aUser(app);
    const paths = [
      'clients',
      'users',
      'resources',
      'keys',
      'stats',
      'system/config',
      'system/status',
      'audit',
      'settings/dcr',
    ];
    const more = [`clients/${id}`, `users/${user.id}`, `users/${user.id}/grants`, `users/${user.id}/tokens`];
    const answers = await Promise.all([...paths, ...more].map((path) => app.admin('GET', `/admin/${path}`)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    const everything = JSON.stringify(answers.map(({ body }) => body));
    for (const hidden of [
      secret!,
      user.password,
      app.adminKey,
      'secret_hash',
      'password_hash',
      '$argon2',
      '"d":',
      'sealed',
    ]) {
      expect(everything).not.toContain(hidden);
    }
  });

  it('is logged nowhere: neither the key nor what the bodies held', async () => {
    const user = await aUser(app);
    const { secret } = await aClient(app, { token_endpoint_auth_method: 'client_secret_post' });
    const log = app.logged.join('\n');
    for (const hidden of [app.adminKey, user.password, user.email, secret!]) expect(log).not.toContain(hidden);
  });
});
