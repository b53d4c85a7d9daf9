import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, aResource, audited, introspect, postForm, refresh, tokensOf, type GrantedCode } from '../builders.js';

let app: TestApp;
let granted: GrantedCode & { tokens: any };
let jti: string;

beforeAll(async () => {
  app = await startTestApp();
  granted = await tokensOf(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
  jti = claimsOf(granted.tokens.access_token).jti;
});
afterAll(() => app?.close());

const claimsOf = (jwt: string): any => JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString());
const nothing = '00000000-0000-7000-8000-000000000000';

describe('the record of issued tokens', () => {
  it('shows one, with everything that was decided about it and nothing that could be presented', async () => {
    const { status, body } = await app.admin('GET', `/admin/issuances/${jti}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({
      id: jti,
      jti,
      subject_user_id: granted.user.id,
      client_id: granted.client.id,
      resource_id: granted.resource.id,
      scopes: ['notes:read', 'notes:write'],
      backend_kind: 'mint',
      revocable: true,
      agent_chain: [],
      issued_at: expect.stringMatching(/Z$/),
      expires_at: expect.stringMatching(/Z$/),
    });
    expect(body).not.toHaveProperty('revoked_at');
    expect(JSON.stringify(body)).not.toContain(granted.tokens.access_token.split('.')[2]);
  });

  it.each<[by: string, query: () => string]>([
    ['user', () => `user=${granted.user.id}`],
    ['client', () => `client=${granted.client.id}`],
    ['resource', () => `resource=${granted.resource.id}`],
    ['all three', () => `user=${granted.user.id}&client=${granted.client.id}&resource=${granted.resource.id}`],
  ])('is found by %s, within a day unless it says otherwise', async (_, query) => {
    const { status, body } = await app.admin('GET', `/admin/issuances?${query()}`);
    expect(status).toBe(200);
    expect(body).toMatchObject({ count: 1, issuances: [expect.objectContaining({ jti })] });
    const dayAgo = app.clock.now().getTime() - 24 * 3600 * 1000;
    expect(Math.abs(Date.parse(body.since) - dayAgo)).toBeLessThan(1000);
  });

  it('is found by jti however old it is, and says that the window has no beginning', async () => {
    const { body } = await app.admin('GET', `/admin/issuances?jti=${jti}&since=1s`);
    expect(body).toMatchObject({ count: 1, since: '0001-01-01T00:00:00Z' });
  });

  it('is empty for what has none', async () => {
    const { body } = await app.admin('GET', `/admin/issuances?user=${nothing}`);
    expect(body).toMatchObject({ count: 0, issuances: [] });
  });

  it.each([
    ['no filter', ''],
    ['a window of 31 days', 'client=x&since=31d'],
    ['a window in words', 'client=x&since=yesterday'],
    ['a limit of 0', 'client=x&limit=0'],
    ['a limit of 5001', 'client=x&limit=5001'],
    ['a user who is no UUID', 'user=ada'],
    ['a jti that is no UUID', 'jti=1'],
    ['a filter nobody knows', 'client=x&scope=y'],
    ['the same filter twice', 'client=x&client=y'],
  ])('is not searched with %s', async (_, query) => {
    const { status, body } = await app.admin('GET', `/admin/issuances?${query}`);
    expect([status, typeof body.detail]).toEqual([400, 'string']);
  });

  it('takes one token back and leaves its family: inactive at once, recorded, and twice is the same as once', async () => {
    const { tokens, client, ...flow } = await tokensOf({ ...granted, client: granted.client });
    const { jti: id } = claimsOf(tokens.access_token);
    for (let twice = 0; twice < 2; twice++)
      expect((await app.admin('DELETE', `/admin/issuances/${id}`)).status).toBe(204);
    expect(await introspect(app, tokens.access_token, client)).toEqual({ active: false });
    expect((await app.admin('GET', `/admin/issuances/${id}`)).body).toHaveProperty('revoked_at');
    expect(await audited(app, 'issuance.revoked_admin')).toContainEqual(
      expect.objectContaining({ client_id: client.id }),
    );
    expect((await refresh({ ...flow, client }, tokens.refresh_token)).status).toBe(200);
  });

  it('does not find what was never issued', async () => {
    for (const method of ['GET', 'DELETE']) {
      expect((await app.admin(method, `/admin/issuances/${nothing}`)).body.code).toBe('issuance_not_found');
    }
  });
});

describe('the families in use', () => {
  it('are listed by client and by user, and one of them is taken back with all its tokens', async () => {
    const { tokens, client, user, ...flow } = await tokensOf(
      await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }),
    );
    const byClient = await app.admin('GET', `/admin/tokens?client_id=${client.id}`);
    const byUser = await app.admin('GET', `/admin/tokens?user_id=${user.id}&limit=1&offset=0`);
    expect(byClient.body.tokens).toEqual([expect.objectContaining({ client_id: client.id, user_id: user.id })]);
    expect(byUser.body).toEqual(byClient.body);
    expect((await app.admin('DELETE', `/admin/tokens/${byClient.body.tokens[0].id}`)).status).toBe(204);
    expect(await introspect(app, tokens.access_token, client)).toEqual({ active: false });
    expect((await refresh({ ...flow, client, user }, tokens.refresh_token)).body.error).toBe('invalid_grant');
  });

  it('are not listed for nobody in particular, and an unknown one is not found', async () => {
    expect((await app.admin('GET', '/admin/tokens')).status).toBe(400);
    expect((await app.admin('DELETE', `/admin/tokens/${nothing}`)).body.code).toBe('token_not_found');
  });

  it('and one access token is taken back by its jti', async () => {
    const { tokens, client } = await tokensOf(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
    expect((await app.admin('DELETE', `/admin/tokens/${claimsOf(tokens.access_token).jti}`)).status).toBe(204);
    expect(await introspect(app, tokens.access_token, client)).toEqual({ active: false });
  });
});

describe('the audit', () => {
  const events = async (query: string): Promise<any[]> => (await app.admin('GET', `/admin/audit?${query}`)).body.events;

  it('is read newest first, by action, client and actor', async () => {
    const { slug } = await aResource(app);
    const created = await events('action=resource.created');
    expect(created[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      action: 'resource.created',
      actor_id: '',
      client_id: '',
      ip: expect.stringMatching(/127\.0\.0\.1|::1/),
      detail: { id: expect.any(String), slug },
      request_id: expect.any(String),
      created_at: expect.stringMatching(/Z$/),
    });
    const ofClient = await events(`client_id=${granted.client.id}&action=token.issued`);
    expect(ofClient.map((event) => event.client_id)).toContain(granted.client.id);
    const ofActor = await events(`actor_id=${granted.user.id}`);
    expect(ofActor.map((event) => event.action)).toContain('token.issued');
    expect(await events('action=nothing.happened')).toEqual([]);
  });

  it('tells the operator the private reason of a refusal, by the request id that the caller was given', async () => {
    const refused = await postForm(
      app,
      '/oauth/token',
      { grant_type: 'refresh_token', refresh_token: 'x' },
      granted.client,
    );
    expect(refused.status).toBe(400);
    await expect
      .poll(() => events(`request_id=${refused.body.request_id}`))
      .toEqual([expect.objectContaining({ action: 'token.refresh_denied', reason: 'refresh_unknown' })]);
  });

  it('comes in pages that neither repeat nor lose one', async () => {
    for (let index = 0; index < 4; index++) await aResource(app);
    const all = (await events('action=resource.created&limit=1000')).map(({ id }) => id);
    const walked: string[] = [];
    let cursor: string | undefined;
    do {
      const { body } = await app.admin(
        'GET',
        `/admin/audit?action=resource.created&limit=2${cursor ? `&cursor=${cursor}` : ''}`,
      );
      walked.push(...body.events.map(({ id }: { id: string }) => id));
      cursor = body.next_cursor;
    } while (cursor);
    expect(walked).toEqual(all);
    expect((await events('action=resource.created&limit=1&offset=1')).map(({ id }) => id)).toEqual([all[1]]);
  });

  it('looks back 24 hours, further only when asked, and at most as far as admin.audit_max_lookback', async () => {
    const seen = (await events('action=resource.created')).length;
    app.clock.advance(25 * 3600);
    try {
      expect(await events('action=resource.created')).toEqual([]);
      const twoDays = new Date(app.clock.now().getTime() - 48 * 3600 * 1000).toISOString();
      expect(await events(`action=resource.created&since=${twoDays}`)).toHaveLength(seen);
      const dayAgo = new Date(app.clock.now().getTime() - 24 * 3600 * 1000).toISOString();
      expect(await events(`action=resource.created&since=${twoDays}&until=${dayAgo}`)).toHaveLength(seen);
      expect(await events(`action=resource.created&since=${dayAgo}`)).toEqual([]);
      const tooFar = new Date(app.clock.now().getTime() - 721 * 3600 * 1000).toISOString();
      expect((await app.admin('GET', `/admin/audit?since=${tooFar}`)).status).toBe(400);
    } finally {
      app.clock.advance(-25 * 3600);
    }
  });

  it.each([
    'limit=1001',
    'limit=0',
    'offset=100001',
    'since=yesterday',
    'since=2026-11-21',
    'until=2026-13-01T00:00:00Z',
    'cursor=x',
    'colour=red',
  ])('is not read with ?%s', async (query) => {
    expect((await app.admin('GET', `/admin/audit?${query}`)).status).toBe(400);
  });
});
