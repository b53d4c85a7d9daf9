import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  aResource,
  introspect,
  postForm,
  redeem,
  refresh,
  tokensOf,
  type ClientFixture,
  type GrantedCode,
  type TokenResponse,
} from '../builders.js';
import { recorded } from '../recorded.js';

let app: TestApp;
/** A resource server that may ask about the tokens of `granted`. */
let caller: ClientFixture;
let granted: GrantedCode & { tokens: any };
let token: string;

beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  caller = await aConfidentialClient(app);
});
afterAll(() => app.close());

beforeEach(async () => {
  granted = await tokensOf(await aFlow(app));
  token = granted.tokens.refresh_token;
  const { slug } = granted.resource;
  await app.admin('POST', `/admin/resources/${slug}/policy/runtime/client-ids`, { client_id: caller.id });
});

const INVALID = 'refresh token is invalid or expired';
const REUSED = 'refresh token has already been used';
const REVOKED = 'token family revoked due to reuse detection';

const isActive = async (accessToken: string): Promise<boolean> =>
  (await introspect(app, accessToken, caller)).active === true;
/** How often the family was turned, and how many tokens there are of it. */
const stateOf = ({ client }: GrantedCode) =>
  app.sql(
    `select f.generation, (select count(*)::int from issuances i where i.family_id = f.id) as issued
       from families f where f.client_id = $1`,
    [client.id],
  );

async function expectRefused(
  answer: TokenResponse,
  [status, error, description, reason]: readonly [number, string, string, string],
): Promise<void> {
  expect([answer.status, answer.body.error, answer.body.error_description]).toEqual([status, error, description]);
  expect(Object.keys(answer.body).toSorted()).toEqual(['error', 'error_description', 'error_uri', 'request_id']);
  const events = await recorded(app, answer);
  expect(events.at(-1)).toMatchObject({ action: 'token.refresh_denied', reason });
}

/** A refresh token is 16 bytes of family, 4 of generation, 16 random ones, and a MAC of 16. */
function tampered(value: string, change: (bytes: Buffer) => void): string {
  const bytes = Buffer.from(value.slice('ap_rt_'.length), 'base64url');
  change(bytes);
  return `ap_rt_${bytes.toString('base64url')}`;
}

describe('[B10] a forged refresh token', () => {
  it.each<[string, (bytes: Buffer) => void]>([
    ['a guessed end', (bytes) => void randomBytes(32).copy(bytes, 20)],
    ['another MAC', (bytes) => void (bytes[51] = (bytes[51] ?? 0) ^ 1)],
    ['another random part', (bytes) => void (bytes[20] = (bytes[20] ?? 0) ^ 1)],
    ['the generation before', (bytes) => void bytes.writeUInt32BE(0, 16)],
    ['the next generation', (bytes) => void bytes.writeUInt32BE(2, 16)],
    ['the last generation there could be', (bytes) => void bytes.writeUInt32BE(0xffffffff, 16)],
    ['another family', (bytes) => void (bytes[15] = (bytes[15] ?? 0) ^ 1)],
  ])('with %s is unknown, and cannot end the family whose id it carries', async (_, change) => {
    await expectRefused(await refresh(granted, tampered(token, change)), [
      400,
      'invalid_grant',
      INVALID,
      'refresh_unknown',
    ]);
    expect(await isActive(granted.tokens.access_token)).toBe(true);
    expect((await refresh(granted, token)).status).toBe(200);
  });

  it('made of a spent one is unknown as well', async () => {
    const { body } = await refresh(granted, token);
    const forged = tampered(token, (bytes) => void (bytes[51] = (bytes[51] ?? 0) ^ 1));
    await expectRefused(await refresh(granted, forged), [400, 'invalid_grant', INVALID, 'refresh_unknown']);
    expect((await refresh(granted, body.refresh_token)).status).toBe(200);
  });

  it('that carries the id of another family with the rest of its own is unknown, and ends neither', async () => {
    const other = await tokensOf(await aFlow(app));
    const foreign = Buffer.from(other.tokens.refresh_token.slice('ap_rt_'.length), 'base64url');
    const mixed = tampered(token, (bytes) => void foreign.copy(bytes, 0, 0, 16));
    for (const by of [granted, other])
      await expectRefused(await refresh(by, mixed), [
        400,
        'invalid_grant',
        INVALID,
        by === other ? 'refresh_unknown' : 'refresh_of_another_client',
      ]);
    expect((await refresh(other, other.tokens.refresh_token)).status).toBe(200);
    expect((await refresh(granted, token)).status).toBe(200);
  });

  it('of another shape is unknown', async () => {
    const { code } = await aGrantedCode(granted);
    const shapes = [token.slice(0, -1), `${token}A`, `${token}=`, token.toUpperCase(), token.slice(6), 'ap_rt_', code];
    for (const shape of [...shapes, granted.tokens.access_token, token.replace('ap_rt_', 'ap_ac_'), "' or '1'='1"])
      await expectRefused(await refresh(granted, shape), [400, 'invalid_grant', INVALID, 'refresh_unknown']);
    expect((await refresh(granted, token)).status).toBe(200);
  });

  it('that is missing or empty is a missing parameter', async () => {
    const missing = [400, 'invalid_request', 'refresh_token is required', 'parameter_missing'] as const;
    await expectRefused(await refresh(granted, ''), missing);
    const form = { grant_type: 'refresh_token' };
    await expectRefused(await postForm(app, '/oauth/token', form, granted.client), missing);
  });
});

describe("[B10] another client's refresh token", () => {
  it('is worth nothing, live or spent, and stays good for its own', async () => {
    const thief = { ...granted, client: await aClient(app) };
    const told = [400, 'invalid_grant', INVALID, 'refresh_of_another_client'] as const;
    await expectRefused(await refresh(thief, token), told);
    const { body } = await refresh(granted, token);
    await expectRefused(await refresh(thief, token), told);
    expect(await isActive(body.access_token)).toBe(true);
    expect((await refresh(granted, body.refresh_token)).status).toBe(200);
    expect(await app.sql('select * from issuances where client_id = $1', [thief.client.id])).toEqual([]);
  });
});

describe('[B10] a spent refresh token', () => {
  it('ends its family and every access token of it before the answer is out', async () => {
    const first = await refresh(granted, token);
    const second = await refresh(granted, first.body.refresh_token);
    const accessTokens = [granted.tokens, first.body, second.body].map(({ access_token }) => access_token as string);
    expect(await Promise.all(accessTokens.map(isActive))).toEqual([true, true, true]);

    const reuse = await refresh(granted, first.body.refresh_token);
    expect(await Promise.all(accessTokens.map(isActive))).toEqual([false, false, false]);
    await expectRefused(reuse, [400, 'invalid_grant', REUSED, 'refresh_reused']);
    expect(await recorded(app, reuse)).toEqual([
      { action: 'family.revoked', reason: 'reuse_detection', client_id: granted.client.id, actor_id: granted.user.id },
      { action: 'token.refresh_denied', reason: 'refresh_reused', client_id: granted.client.id, actor_id: null },
    ]);
    for (const each of [second.body.refresh_token, first.body.refresh_token, token])
      await expectRefused(await refresh(granted, each), [400, 'invalid_grant', REVOKED, 'family_revoked']);
    expect(await stateOf(granted)).toEqual([{ generation: 3, issued: 3 }]);
  });

  it('ends its family however old it is', async () => {
    let live = token;
    for (let turn = 0; turn < 5; turn += 1) live = (await refresh(granted, live)).body.refresh_token;
    app.clock.advance(6 * 24 * 3600);
    await expectRefused(await refresh(granted, token), [400, 'invalid_grant', REUSED, 'refresh_reused']);
    await expectRefused(await refresh(granted, live), [400, 'invalid_grant', REVOKED, 'family_revoked']);
  });

  it('ends its own family only: another sign-in of the same person at the same client lives', async () => {
    const other = await tokensOf(granted);
    await refresh(granted, token);
    await refresh(granted, token);
    expect(await isActive(other.tokens.access_token)).toBe(true);
    expect((await refresh(granted, other.tokens.refresh_token)).status).toBe(200);
  });

  it('ends its family also when the request is wrong otherwise', async () => {
    const { body } = await refresh(granted, token);
    const wrong = await refresh(granted, token, { scope: 'notes:delete', resource: 'https://other.example/' });
    await expectRefused(wrong, [400, 'invalid_grant', REUSED, 'refresh_reused']);
    expect((await refresh(granted, body.refresh_token)).body.error_description).toBe(REVOKED);
  });

  it('of a confidential client ends nothing without the secret', async () => {
    const confidential = await tokensOf(await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' }));
    const spent = confidential.tokens.refresh_token;
    const { body } = await refresh(confidential, spent);
    app.clock.advance(60);
    const { id, redirectUri } = confidential.client;
    const thief = { ...confidential, client: { id, redirectUri, secret: 'a guess' } };
    expect((await refresh(thief, spent)).body.error).toBe('invalid_client');
    expect((await refresh(confidential, body.refresh_token)).status).toBe(200);
  });
});

describe('a refresh token whose ground is gone', () => {
  const ended = [400, 'invalid_grant', INVALID] as const;
  const unauthenticated = [401, 'invalid_client', 'client authentication failed'] as const;
  const clientPath = (): string => `/admin/clients/${granted.client.id}`;

  it.each<[string, () => Promise<unknown>, readonly [number, string, string], string]>([
    [
      'the person was disabled',
      () => app.admin('PATCH', `/admin/users/${granted.user.id}/disable`),
      ended,
      'user_disabled',
    ],
    [
      'the person was deleted',
      () => app.admin('DELETE', `/admin/users/${granted.user.id}?force=true`),
      ended,
      'user_disabled',
    ],
    ['the consent was withdrawn', () => withdraw(), ended, 'consent_withdrawn'],
    [
      'the client was suspended',
      () => app.admin('PATCH', `${clientPath()}/suspend`),
      unauthenticated,
      'client_suspended',
    ],
    ['the client was revoked', () => app.admin('PATCH', `${clientPath()}/revoke`), unauthenticated, 'client_revoked'],
    [
      'the client was deleted',
      () => app.admin('DELETE', `${clientPath()}?force=true`),
      unauthenticated,
      'client_unknown',
    ],
    ['the client revoked it', () => postForm(app, '/oauth/revoke', { token }, granted.client), ended, 'family_ended'],
  ])('is refused, issues and spends nothing, and the access token is dead: %s', async (_, change, told, reason) => {
    const before = await stateOf(granted);
    await change();
    await expectRefused(await refresh(granted, token), [...told, reason]);
    expect(await stateOf(granted)).toEqual(before);
    expect(await isActive(granted.tokens.access_token)).toBe(false);
  });

  async function withdraw(clientId = granted.client.id): Promise<void> {
    const [consent] = await app.sql<{ id: string }>('select id from consents where client_id = $1', [clientId]);
    expect((await app.admin('DELETE', `/admin/grants/consent/${consent?.id}`)).status).toBe(204);
  }

  it('is refused also where the resource has no scopes to take away', async () => {
    const flow = { ...(await aFlow(app)), resource: await aResource(app, { scopes: [] }) };
    const whole = await tokensOf(flow, { scope: undefined });
    const code = await aGrantedCode(flow, { scope: undefined });
    await withdraw(flow.client.id);
    const told = [...ended, 'consent_withdrawn'] as const;
    await expectRefused(await refresh(flow, whole.tokens.refresh_token), told);
    expect((await redeem(code)).body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'the authorization this code stands for has ended',
    });
  });

  it.each<[string, () => Promise<unknown>, readonly [number, string, string, string]]>([
    [
      'the resource was deleted',
      () => app.admin('DELETE', `/admin/resources/${granted.resource.id}`),
      [400, 'invalid_target', 'resource was not granted', 'resource_not_granted'],
    ],
    [
      'the grant was taken from the client',
      () => app.admin('PATCH', clientPath(), { grant_types: ['authorization_code'] }),
      [
        400,
        'unauthorized_client',
        'this client is not registered for grant_type refresh_token',
        'grant_not_registered',
      ],
    ],
    [
      'the resource declares none of its scopes any more',
      () => app.admin('PATCH', `/admin/resources/${granted.resource.id}`, { scopes: [{ name: 'x', description: '' }] }),
      [400, 'invalid_grant', INVALID, 'consent_withdrawn'],
    ],
    [
      "the client's ceiling leaves none of its scopes",
      () => app.admin('PATCH', clientPath(), { scope: 'calendar:read' }),
      [400, 'invalid_grant', INVALID, 'consent_withdrawn'],
    ],
    [
      'it was not used for eight days',
      async () => app.clock.advance(8 * 24 * 3600),
      [400, 'invalid_grant', INVALID, 'refresh_expired'],
    ],
  ])('is refused, and issues and spends nothing: %s', async (_, change, told) => {
    const before = await stateOf(granted);
    await change();
    await expectRefused(await refresh(granted, token), told);
    expect(await stateOf(granted)).toEqual(before);
  });

  it('works again when the client is reactivated, since nothing was spent', async () => {
    await app.admin('PATCH', `${clientPath()}/suspend`);
    await refresh(granted, token);
    await app.admin('PATCH', `${clientPath()}/reactivate`);
    expect((await refresh(granted, token)).status).toBe(200);
  });
});

describe('when the key of the MAC was changed', () => {
  it('a live token still works, and a spent one is unknown and ends nothing', async () => {
    const changed = await startTestApp({
      beside: app,
      settings: { SESSION_SECRET: 'another-session-secret-0123456789abcdef012345', RATE_LIMIT_ENABLED: 'false' },
      clock: app.clock,
    });
    const there = { ...granted, app: changed };
    const { status, body } = await refresh(there, token);
    expect(status).toBe(200);
    await expectRefused(await refresh(there, token), [400, 'invalid_grant', INVALID, 'refresh_unknown']);
    expect((await refresh(there, body.refresh_token)).status).toBe(200);
    await changed.close();
  });
});

describe('when the database was restored from yesterday', () => {
  it('a token that it has not made yet is unknown, and the family lives on with the one it knows', async () => {
    const { client } = granted;
    const [row] = await app.sql<{ live_hash: Buffer }>('select live_hash from families where client_id = $1', [
      client.id,
    ]);
    const { body } = await refresh(granted, token);
    await app.sql('update families set generation = 1, live_hash = $2, previous_hash = null where client_id = $1', [
      client.id,
      row?.live_hash,
    ]);
    const future = await refresh(granted, body.refresh_token);
    await expectRefused(future, [400, 'invalid_grant', INVALID, 'refresh_unknown']);
    expect((await refresh(granted, token)).status).toBe(200);
  });
});
