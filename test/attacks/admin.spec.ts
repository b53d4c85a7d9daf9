import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { audited } from '../builders.js';
import { rawRequest, type RawRequest } from '../raw-request.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

const raw = (path: string, sent?: RawRequest) => rawRequest(app.adminUrl, path, sent);
const bearer = (key: string): Record<string, string> => ({ authorization: `Bearer ${key}` });
const authorized = (): Record<string, string> => bearer(app.adminKey);
const routes: [method: string, path: string][] = [
  ['POST', '/admin/auth/verify'],
  ['GET', '/admin/stats'],
  ['GET', '/admin/system/status'],
  ['GET', '/admin/system/config'],
  ['GET', '/admin/audit'],
  ['GET', '/admin/clients'],
  ['POST', '/admin/clients'],
  ['GET', '/admin/clients/x'],
  ['PATCH', '/admin/clients/x'],
  ['DELETE', '/admin/clients/x'],
  ['POST', '/admin/clients/x/rotate-secret'],
  ['PATCH', '/admin/clients/x/suspend'],
  ['PATCH', '/admin/clients/x/reactivate'],
  ['PATCH', '/admin/clients/x/revoke'],
  ['GET', '/admin/tokens'],
  ['DELETE', '/admin/tokens/x'],
  ['GET', '/admin/users'],
  ['POST', '/admin/users'],
  ['GET', '/admin/users/x'],
  ['PATCH', '/admin/users/x'],
  ['DELETE', '/admin/users/x'],
  ['PATCH', '/admin/users/x/disable'],
  ['PATCH', '/admin/users/x/enable'],
  ['PUT', '/admin/users/x/password'],
  ['GET', '/admin/users/x/tokens'],
  ['DELETE', '/admin/users/x/tokens'],
  ['GET', '/admin/users/x/grants'],
  ['DELETE', '/admin/grants/consent/x'],
  ['GET', '/admin/issuances'],
  ['GET', '/admin/issuances/x'],
  ['DELETE', '/admin/issuances/x'],
  ['GET', '/admin/resources'],
  ['POST', '/admin/resources'],
  ['GET', '/admin/resources/x'],
  ['PATCH', '/admin/resources/x'],
  ['DELETE', '/admin/resources/x'],
  ['GET', '/admin/resources/x/policy/exchange/allowed-clients'],
  ['POST', '/admin/resources/x/policy/exchange/allowed-clients'],
  ['DELETE', '/admin/resources/x/policy/exchange/allowed-clients/y'],
  ['GET', '/admin/resources/x/policy/runtime/client-ids'],
  ['POST', '/admin/resources/x/policy/runtime/client-ids'],
  ['DELETE', '/admin/resources/x/policy/runtime/client-ids/y'],
  ['GET', '/admin/resources/x/policy/connect/allowed-return-urls'],
  ['POST', '/admin/resources/x/policy/connect/allowed-return-urls'],
  ['DELETE', '/admin/resources/x/policy/connect/allowed-return-urls'],
  ['GET', '/admin/keys'],
  ['POST', '/admin/keys/rotate'],
  ['DELETE', '/admin/keys/x'],
  ['GET', '/admin/settings/dcr'],
  ['PATCH', '/admin/settings/dcr'],
];

describe('whoever has no admin key', () => {
  it.each(routes)('is refused %s %s before anything is looked at', async (method, path) => {
    const { status, headers, body } = await raw(path, { method });
    expect([status, body.code]).toEqual([401, 'invalid_admin_key']);
    expect(headers['www-authenticate']).toMatch(/^Bearer /);
    expect(headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(headers['cache-control']).toBe('no-store');
  });

  it.each(routes)('does not even find %s %s on the public listener, with the right key', async (method, path) => {
    const { status } = await rawRequest(app.url, path, { method, headers: authorized() });
    expect(status).toBe(404);
  });

  it.each<
    [
      how: string,
      path: (key: string) => string,
      headers: (key: string) => Record<string, string>,
      body?: (key: string) => string,
    ]
  >([
    ['in the query', (key) => `/admin/stats?api_key=${key}&access_token=${key}`, () => ({})],
    [
      'as Basic',
      () => '/admin/stats',
      (key) => ({ authorization: `Basic ${Buffer.from(`admin:${key}`).toString('base64')}` }),
    ],
    ['without a scheme', () => '/admin/stats', (key) => ({ authorization: key })],
    ['in another header', () => '/admin/stats', (key) => ({ 'x-api-key': key })],
    ['in a cookie', () => '/admin/stats', (key) => ({ cookie: `admin_key=${key}` })],
  ])('cannot give the right key %s', async (_, path, headers) => {
    expect((await raw(path(app.adminKey), { headers: headers(app.adminKey) })).status).toBe(401);
  });

  it('is not let in by a body that could not even be parsed', async () => {
    const { status } = await raw('/admin/clients', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: 'x' }),
    });
    expect(status).toBe(401);
  });
});

describe('whoever guesses admin keys', () => {
  let guessed: TestApp;
  beforeEach(async () => {
    guessed = await startTestApp();
  });
  afterEach(() => guessed?.close());

  const guess = (key: string) => rawRequest(guessed.adminUrl, '/admin/stats', { headers: bearer(key) });

  it('is slowed down after 20 wrong ones, without shutting out the operator beside them, which the audit knows and which hold no key', async () => {
    const near = [`${guessed.adminKey}x`, guessed.adminKey.slice(1), guessed.adminKey.toUpperCase()];
    for (let index = 0; index < 20; index++) {
      const { status, body } = await guess(near[index] ?? `guess-${index}`);
      expect([status, body.code]).toEqual([401, 'invalid_admin_key']);
    }
    const locked = await guess('guess-20');
    expect([locked.status, locked.body.code]).toEqual([429, 'slow_down']);
    expect(Number(locked.headers['retry-after'])).toBeGreaterThan(0);
    expect((await guess(guessed.adminKey)).status).toBe(200);

    await expect.poll(() => audited(guessed, 'admin.auth_failed')).toHaveLength(20);
    const [fact] = await audited(guessed, 'admin.auth_failed');
    expect(fact).toMatchObject({ reason: 'key_mismatch', detail: {} });
    expect(JSON.stringify(guessed.logged)).not.toContain(guessed.adminKey);
    expect(guessed.logged.join('\n')).not.toContain('guess-');
  });

  it('gets no more guesses by taking other addresses of one IPv6 network', async () => {
    const proxied = await startTestApp({ settings: { SERVER_TRUSTED_PROXIES: '127.0.0.1/32' } });
    const from = (ip: string) =>
      rawRequest(proxied.adminUrl, '/admin/stats', { headers: { ...bearer('guess'), 'x-forwarded-for': ip } });
    const statuses: number[] = [];
    for (let n = 1; n <= 21; n++) statuses.push((await from(`2001:db8:1:2::${n}`)).status);
    expect(statuses).toEqual([...Array(20).fill(401), 429]);
    expect((await from('2001:db8:1:3::1')).status).toBe(401);
    await proxied.close();
  });

  it('gets no more guesses, and writes no more audit, by making them all at once', async () => {
    const answers = await Promise.all(Array.from({ length: 60 }, (_, index) => guess(`guess-${index}`)));
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(20);
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(40);
    await expect.poll(() => audited(guessed, 'admin.auth_failed')).toHaveLength(20);
  });
});

describe('a web page that the operator has open', () => {
  it.each(['evil.example', 'evil.example:9001', 'localhost.evil.example', '127.0.0.1.evil.example', 'admin'])(
    'cannot rebind its name to the admin listener: Host %j',
    async (host) => {
      const { status } = await raw('/admin/stats', { headers: { ...authorized(), host } });
      expect(status).toBe(421);
    },
  );

  it('is not allowed to read answers from its own origin', async () => {
    const { headers } = await raw('/admin/stats', { headers: { ...authorized(), origin: 'https://evil.example' } });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', ''])(
    'cannot send a body as %j, which needs no preflight',
    async (type) => {
      const { status, body } = await raw('/admin/settings/dcr', {
        method: 'PATCH',
        headers: { ...authorized(), ...(type && { 'content-type': type }) },
        body: JSON.stringify({ mode: 'open' }),
      });
      expect([status, body.code]).toEqual([415, 'unsupported_media_type']);
    },
  );
});
