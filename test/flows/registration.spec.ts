import { registerClient } from '@modelcontextprotocol/sdk/client/auth.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { audited, postForm } from '../builders.js';

const WEB = 'https://app.example/callback';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({
    settings: {
      SERVER_TRUSTED_PROXIES: '127.0.0.1/32',
      OAUTH_DEFAULT_CLIENT_SCOPE: 'notes:read profile',
      DCR_APPROVED_REDIRECTS: `${WEB},http://localhost:8976/callback`,
      DCR_RATE_LIMIT_BURST: '4',
    },
  });
});
afterAll(() => app.close());

let sender = 0;
/** Every registration from an address of its own, unless it names one. */
async function register(members: unknown, headers: Record<string, string> = {}) {
  sender += 1;
  const response = await fetch(`${app.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.51.100.${sender}`, ...headers },
    body: typeof members === 'string' ? members : JSON.stringify(members),
  });
  return { status: response.status, headers: response.headers, body: (await response.json()) as Record<string, any> };
}

const setMode = async (mode: string): Promise<void> => {
  expect((await app.admin('PATCH', '/admin/settings/dcr', { mode })).status).toBe(200);
};
const refusals = async (reason: string) =>
  (await audited(app, 'client.registration_denied')).filter((row) => row.reason === reason);

describe('dynamic registration', () => {
  it('[7591.1 A6 M16] answers 201 with what was registered, a secret once, and no-store', async () => {
    const { status, headers, body } = await register({
      redirect_uris: [WEB],
      client_name: 'Notes',
      resource: 'x',
      contacts: [1],
    });
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toEqual({
      client_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      client_secret: expect.stringMatching(/^ap_cs_[A-Za-z0-9_-]{64}$/),
      client_secret_expires_at: 0,
      registration_access_token: expect.stringMatching(/^ap_rg_[A-Za-z0-9_-]{64}$/),
      registration_client_uri: `${app.issuer}/oauth/register/${body['client_id']}`,
      client_id_issued_at: Math.floor(app.clock.now().getTime() / 1000),
      client_name: 'Notes',
      redirect_uris: [WEB],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
      application_type: 'web',
      scope: 'notes:read profile',
      agent: false,
      agent_description: '',
    });
    const [event] = (await audited(app, 'client.registered')).filter((row) => row.client_id === body['client_id']);
    expect(event).toMatchObject({ reason: null, detail: { source: 'dcr' } });
  });

  it('keeps a hash of the secret and nothing else', async () => {
    const { body } = await register({ redirect_uris: [WEB] });
    const [row] = await app.sql<{ secret_hash: Buffer }>(
      'select secret_hash from client_secrets where client_id = $1',
      [body['client_id']],
    );
    expect(row?.secret_hash).toHaveLength(32);
    expect(app.logged.join('\n')).not.toContain(body['client_secret']);
  });

  it('gives a public client no secret, and no member about one', async () => {
    const { body } = await register({ redirect_uris: ['http://localhost/cb'], token_endpoint_auth_method: 'none' });
    expect(body).not.toHaveProperty('client_secret');
    expect(body).not.toHaveProperty('client_secret_expires_at');
    expect(body).toMatchObject({ application_type: 'native', token_endpoint_auth_method: 'none' });
  });

  it('sets the ceiling itself, whatever scope is asked for', async () => {
    const { body } = await register({ redirect_uris: [WEB], scope: 'admin everything' });
    expect(body['scope']).toBe('notes:read profile');
  });

  it('takes a claim to be an agent as a claim', async () => {
    const { body } = await register({ redirect_uris: [WEB], agent: true, agent_description: 'sorts notes' });
    expect(body).toMatchObject({ agent: true, agent_description: 'sorts notes' });
    expect((await app.admin('GET', `/admin/clients/${body['client_id']}`)).body).toMatchObject({
      agent: true,
      agent_confirmed: false,
    });
  });

  it('serves the official MCP SDK, whose client then authenticates as it was told', async () => {
    const client = await registerClient(app.issuer, {
      metadata: await (await fetch(`${app.url}/.well-known/oauth-authorization-server`)).json(),
      clientMetadata: { redirect_uris: ['http://localhost:8976/callback'], client_name: 'SDK' },
    });
    const fixture = { id: client.client_id, secret: client.client_secret, redirectUri: WEB };
    const answer = await postForm(app, '/oauth/token', { grant_type: 'refresh_token', refresh_token: 'x' }, fixture);
    expect(answer.body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'refresh token is invalid or expired',
    });
  });

  it.each([
    [
      'invalid_redirect_uri',
      { redirect_uris: ['http://app.example/cb'] },
      'http is only for localhost',
      'redirect_invalid',
    ],
    [
      'invalid_redirect_uri',
      { redirect_uris: ['cursor://cb'] },
      'oauth.allowed_redirect_schemes',
      'scheme_not_allowed',
    ],
    [
      'invalid_client_metadata',
      { redirect_uris: [WEB], grant_types: ['password'] },
      'grant_types may contain',
      'metadata_invalid',
    ],
  ])('[7591.2] refuses with %s, naming the member, and records the reason', async (error, members, problem, reason) => {
    const { status, headers, body } = await register(members);
    expect([status, body['error']]).toEqual([400, error]);
    expect(body['error_description']).toContain(problem);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(await refusals(reason)).not.toEqual([]);
  });

  it.each([
    [
      '[P2] a member twice',
      '{"redirect_uris":["https://a.example/"],"redirect_uris":["https://b.example/"]}',
      'more than once',
    ],
    ['broken JSON', '{', 'the body must be valid JSON'],
    ['a list', '[]', 'the body must be a JSON object'],
    ['nothing', '', 'the body must be valid JSON'],
  ])('refuses %s', async (_, text, problem) => {
    const { status, body } = await register(text);
    expect([status, body['error']]).toEqual([400, 'invalid_request']);
    expect(body['error_description']).toContain(problem);
  });

  it('takes JSON only, by POST only', async () => {
    const form = await register('redirect_uris=x', { 'content-type': 'application/x-www-form-urlencoded' });
    expect(form.status).toBe(415);
    expect(form.body['error_description']).toBe('the body must be application/json');
    const got = await fetch(`${app.url}/oauth/register`);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
  });
});

describe('[7591.3 K7] the limit of registrations', () => {
  it('counts per address, with a burst, and says when to come back', async () => {
    const from = (ip: string) => register({ redirect_uris: [WEB] }, { 'x-forwarded-for': ip });
    for (let n = 0; n < 4; n++) expect((await from('203.0.113.7')).status).toBe(201);
    const { status, headers, body } = await from('203.0.113.7');
    expect([status, body['error'], body['error_description']]).toEqual([429, 'slow_down', 'too many requests']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await refusals('rate_limited')).toHaveLength(1);
    expect((await from('203.0.113.8')).status).toBe(201);
  });

  it('takes one IPv6 network for one address', async () => {
    const from = (ip: string) => register({ redirect_uris: [WEB] }, { 'x-forwarded-for': ip });
    for (let n = 1; n <= 4; n++) expect((await from(`2001:db8:1:2::${n}`)).status).toBe(201);
    expect((await from('2001:db8:1:2:ffff::1')).status).toBe(429);
    expect((await from('2001:db8:1:3::1')).status).toBe(201);
  });
});

describe('[A6] the mode of registration', () => {
  afterAll(() => setMode('open'));

  it('admin_only closes the endpoint and takes it out of the metadata, at once', async () => {
    await setMode('admin_only');
    const { status, body } = await register({ redirect_uris: [WEB] });
    expect([status, body['error'], body['error_description']]).toEqual([
      403,
      'access_denied',
      'registration is closed (dcr.mode)',
    ]);
    expect(await refusals('dcr_closed')).toHaveLength(1);
    const metadata = await (await fetch(`${app.url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).not.toHaveProperty('registration_endpoint');
    expect((await audited(app, 'dcr.mode_updated'))[0]).toMatchObject({ detail: { from: 'open', to: 'admin_only' } });
  });

  it('approved_redirects takes listed URIs, byte for byte, and only them', async () => {
    await setMode('approved_redirects');
    expect((await register({ redirect_uris: [WEB] })).status).toBe(201);
    for (const uri of [`${WEB}/`, 'http://localhost:8977/callback', 'https://other.example/']) {
      const { status, body } = await register({ redirect_uris: [WEB, uri] });
      expect([status, body['error']]).toEqual([400, 'invalid_redirect_uri']);
      expect(body['error_description']).toContain('dcr.approved_redirects');
    }
    expect(await refusals('redirect_not_approved')).toHaveLength(3);
    expect((await register({ redirect_uris: 'x' })).body['error']).toBe('invalid_client_metadata');
  });

  it('is remembered by every replica and over a restart', async () => {
    await setMode('admin_only');
    const beside = await startTestApp({ beside: app });
    const answer = await fetch(`${beside.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: [WEB] }),
    });
    expect(answer.status).toBe(403);
    await beside.close();
  });
});
