import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, audited, introspect, tokensOf } from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app?.close());

const kidOf = (jwt: string): string => JSON.parse(Buffer.from(jwt.split('.')[0] ?? '', 'base64url').toString()).kid;
const published = async (): Promise<string[]> => {
  const { keys } = (await (await fetch(`${app.url}/.well-known/jwks.json`)).json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid);
};

describe('signing keys', () => {
  it('are listed without their private halves', async () => {
    const { body } = await app.admin('GET', '/admin/keys');
    expect(body.keys).toEqual([
      {
        kid: expect.any(String),
        alg: 'ES256',
        use: 'sig',
        status: 'active',
        created_at: expect.any(String),
        activates_at: expect.any(String),
      },
    ]);
  });

  it('are rotated: the new one signs, tokens of the old one stay active', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const { status, body } = await app.admin('POST', '/admin/keys/rotate');
    expect([status, body.alg]).toEqual([200, 'ES256']);
    expect(kidOf((await tokensOf(flow)).tokens.access_token)).toBe(body.kid);
    expect(await published()).toEqual(expect.arrayContaining([body.kid, kidOf(tokens.access_token)]));
    expect(await introspect(app, tokens.access_token, flow.client)).toMatchObject({ active: true });
  });

  it('are published now and sign later, when asked for', async () => {
    const before = (await app.admin('GET', '/admin/keys')).body.keys.find((key: any) => key.status === 'active').kid;
    const { body } = await app.admin('POST', '/admin/keys/rotate', { activate_after: '10m' });
    expect(await published()).toContain(body.kid);
    const flow = await aFlow(app);
    expect(kidOf((await tokensOf(flow)).tokens.access_token)).toBe(before);
    app.clock.advance(601);
    expect(kidOf((await tokensOf(flow)).tokens.access_token)).toBe(body.kid);
  });

  it.each(['soon', '8d'])('are not rotated after %s', async (delay) => {
    expect((await app.admin('POST', '/admin/keys/rotate', { activate_after: delay })).status).toBe(400);
  });

  it('are revoked: out of the JWKS, and every token that one signed is dead', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const kid = kidOf(tokens.access_token);
    expect((await app.admin('DELETE', `/admin/keys/${kid}`)).status).toBe(204);
    expect(await published()).not.toContain(kid);
    expect(await introspect(app, tokens.access_token, flow.client)).toEqual({ active: false });
    expect((await app.admin('DELETE', `/admin/keys/${kid}`)).body.code).toBe('key_not_found');
    expect(await audited(app, 'key.revoked')).toContainEqual(expect.objectContaining({ detail: { kid } }));
    expect(kidOf((await tokensOf(flow)).tokens.access_token)).not.toBe(kid);
  });
});

describe('the mode of registration', () => {
  const register = async (): Promise<number> => {
    const body = JSON.stringify({
      client_name: 'x',
      redirect_uris: ['https://x.example/cb'],
      token_endpoint_auth_method: 'none',
    });
    return (
      await fetch(`${app.url}/oauth/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body,
      })
    ).status;
  };

  it('is changed while the server runs, and recorded', async () => {
    expect(await app.admin('GET', '/admin/settings/dcr')).toEqual({ status: 200, body: { mode: 'open' } });
    expect(await register()).toBe(201);
    expect(await app.admin('PATCH', '/admin/settings/dcr', { mode: 'admin_only' })).toEqual({
      status: 200,
      body: { mode: 'admin_only' },
    });
    expect(await register()).toBe(403);
    expect(await audited(app, 'dcr.mode_updated')).toEqual([
      expect.objectContaining({ detail: expect.objectContaining({ from: 'open', to: 'admin_only' }) }),
    ]);
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'open' });
    expect(await register()).toBe(201);
  });

  it.each([{ mode: 'closed' }, { mode: null }, {}, { mode: ['open'] }, { mode: 'open', until: 'tomorrow' }])(
    'is not set by %j',
    async (body) => {
      expect((await app.admin('PATCH', '/admin/settings/dcr', body)).status).toBe(400);
    },
  );
});

describe('what the start page shows', () => {
  it('verifies the key and records that it was used', async () => {
    const { status, body } = await app.admin('POST', '/admin/auth/verify');
    expect([status, body]).toEqual([200, { valid: true, version: expect.stringMatching(/^\d+\.\d+\.\d+/) }]);
    await expect.poll(() => audited(app, 'admin.ui.login')).toHaveLength(1);
  });

  it('counts', async () => {
    const before = (await app.admin('GET', '/admin/stats')).body;
    await tokensOf(await aFlow(app));
    const { body } = await app.admin('GET', '/admin/stats');
    expect(body).toEqual({
      clients: before.clients + 1,
      users: before.users + 1,
      active_tokens_24h: before.active_tokens_24h + 1,
      revoked_tokens: before.revoked_tokens,
      connections: 0,
    });
  });

  it('says how the server is', async () => {
    app.clock.advance(3_661);
    const { body } = await app.admin('GET', '/admin/system/status');
    expect(body.uptime_secs).toBeGreaterThanOrEqual(3_661);
    expect(body.uptime).toMatch(/^\d+h\d+m\d+s$/);
    expect(body.subsystems).toContainEqual({ name: 'storage', status: 'ok', driver: 'embedded' });
  });

  it('says what the server was told, and none of its secrets', async () => {
    const { body } = await app.admin('GET', '/admin/system/config');
    expect(body).toMatchObject({
      issuer: app.issuer,
      storage: { driver: 'embedded' },
      signing: { algorithm: 'ES256', key_store: 'keyfile' },
      dcr: { mode: 'open' },
      client_credentials: { enabled: false },
      dpop: { enabled: true, nonce_ttl: '60s', require_nonce: false },
      token_exchange: { enabled: false },
    });
    expect(body.notices.map(({ id }: { id: string }) => id)).toEqual(['default-client-scope-unset']);
    expect(JSON.stringify(body)).not.toMatch(/test-admin-key|test-session-secret|postgres:\/\//);
  });

  it('says so of proofs and of the depth of chains, too', async () => {
    const settings = {
      DPOP_REQUIRE_NONCE: 'true',
      DPOP_NONCE_TTL: '2m',
      TOKEN_EXCHANGE_ENABLED: 'true',
      TOKEN_EXCHANGE_MAX_CHAIN_DEPTH: '3',
    };
    for (const [given, dpop] of [
      [settings, { enabled: true, nonce_ttl: '120s', require_nonce: true }],
      [
        { ...settings, DPOP_ENABLED: 'false' },
        { enabled: false, require_nonce: false },
      ],
    ] as const) {
      const other = await startTestApp({ beside: app, settings: given });
      const { body } = await other.admin('GET', '/admin/system/config');
      expect([body.dpop, body.token_exchange]).toEqual([dpop, { enabled: true, max_chain_depth: 3 }]);
      await other.close();
    }
  });

  it('has nothing to say about the ceiling of self-registered clients once nobody can register', async () => {
    await app.admin('PATCH', '/admin/settings/dcr', { mode: 'admin_only' });
    expect((await app.admin('GET', '/admin/system/config')).body.notices).toEqual([]);
  });
});
