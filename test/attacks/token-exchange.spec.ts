import { generateKeyPairSync, sign } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aResource,
  audited,
  postForm,
  type ClientFixture,
  type ResourceFixture,
  type TokenResponse,
} from '../builders.js';
import {
  ACCESS_TOKEN,
  allowed,
  anAgent,
  claimsOf,
  EXCHANGE,
  exchange,
  front,
  letActAs,
  letExchange,
  startExchangingApp,
  started,
  type Started,
} from '../exchanges.js';

let app: TestApp;
beforeAll(async () => (app = await startExchangingApp({ TOKEN_EXCHANGE_MAX_CHAIN_DEPTH: '2' })));
afterAll(() => app.close());

const issuances = async (): Promise<number> =>
  (await app.sql<{ n: number }>('select count(*)::int as n from issuances'))[0]!.n;

/** The answer, the private reason, and that nothing was issued. */
async function expectRefused(
  attack: () => Promise<TokenResponse>,
  status: number,
  error: string,
  reason: string,
): Promise<void> {
  const before = await issuances();
  const answer = await attack();
  expect([answer.status, answer.body.error]).toEqual([status, error]);
  expect(answer.body).not.toHaveProperty('access_token');
  const rows = await app.sql('select action, reason from audit_events where request_id = $1', [answer.body.request_id]);
  expect(rows).toEqual([{ action: 'token.exchange_denied', reason }]);
  expect(await issuances()).toBe(before);
}

/** The first client may use both resources; `hop` may exchange for the second. */
async function twoResources(): Promise<{ at: Started; target: ResourceFixture; hop: ClientFixture }> {
  const [at, target, hop] = await Promise.all([started(app), aResource(app), anAgent(app)]);
  await allowed(at, target);
  await letExchange(app, target, hop);
  return { at, target, hop };
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

/** A JWT like ours, signed by a key of the attacker's own. */
function foreign(token: string, more: object, header: object = {}): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const [head] = token.split('.');
  const kid = JSON.parse(Buffer.from(head!, 'base64url').toString());
  const input = `${base64({ ...kid, ...header })}.${base64({ ...claimsOf(token), ...more })}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

describe('an exchange is refused', () => {
  it('[X10] that widens the scope, of the token, of the target or of the client', async () => {
    const at = await started(app, { scope: 'notes:read' });
    const target = await aResource(app);
    await allowed(at, target);
    const ask =
      (scope: string, acting = at.client) =>
      () =>
        exchange(app, acting, at.token, { resource: target.uri, scope });
    await expectRefused(ask('notes:read notes:write'), 400, 'invalid_scope', 'scope_not_held');
    await expectRefused(ask('notes:admin'), 400, 'invalid_scope', 'scope_not_in_catalog');
    const narrow = await anAgent(app, { scope: 'files:read' });
    await letExchange(app, target, narrow);
    await expectRefused(ask('notes:read', narrow), 400, 'invalid_scope', 'scope_above_ceiling');
  });

  it('[X10] that widens the audience past what the person allowed', async () => {
    const at = await started(app);
    const elsewhere = await aResource(app);
    await expectRefused(
      () => exchange(app, at.client, at.token, { resource: elsewhere.uri }),
      400,
      'consent_required',
      'consent_missing',
    );
    await expectRefused(
      () => exchange(app, at.client, at.token, { resource: app.issuer }),
      400,
      'invalid_target',
      'resource_unknown',
    );
    await expectRefused(() => exchange(app, at.client, at.token), 403, 'access_denied', 'self_exchange_disabled');
  });

  it('[X8] by a client that no policy names, of another’s token', async () => {
    const at = await started(app);
    const thief = await anAgent(app);
    const ask = (resource: ResourceFixture) => () => exchange(app, thief, at.token, { resource: resource.uri });
    await expectRefused(ask(at.resource), 403, 'access_denied', 'cross_client_denied');
    await letExchange(app, at.resource, at.client);
    await expectRefused(ask(at.resource), 403, 'access_denied', 'operator_gate_denied');
    await letActAs(app, at.resource, thief);
    await expectRefused(ask(at.resource), 403, 'access_denied', 'operator_gate_denied');
  });

  it('by a gateway that is confused: a link of another resource, or a right at the target alone', async () => {
    const [at, other, target, gateway] = await Promise.all([
      started(app),
      aResource(app),
      aResource(app),
      anAgent(app),
    ]);
    await front(app, other, target, { 'notes:read': ['notes:read'] });
    await letActAs(app, other, gateway);
    const ask = () => exchange(app, gateway, at.token, { resource: target.uri });
    await expectRefused(ask, 403, 'access_denied', 'cross_client_denied');
    await front(app, at.resource, target, { 'notes:read': ['notes:read'] });
    await letExchange(app, target, gateway);
    await expectRefused(ask, 403, 'access_denied', 'fronting_caller_not_authorized');
  });

  it('[X9] that makes the chain too deep, or a circle', async () => {
    const [at, target] = await Promise.all([started(app), aResource(app)]);
    await allowed(at, target);
    const hops = await Promise.all([anAgent(app), anAgent(app), anAgent(app)]);
    await letExchange(app, target, at.client, ...hops);
    const step = (acting: ClientFixture, token: string) => exchange(app, acting, token, { resource: target.uri });
    const one = (await step(hops[0]!, at.token)).body.access_token;
    const two = (await step(hops[1]!, one)).body.access_token;
    await expectRefused(() => step(hops[2]!, two), 403, 'access_denied', 'chain_too_deep');
    await expectRefused(() => step(hops[0]!, two), 403, 'access_denied', 'chain_cycle');
    await expectRefused(() => step(at.client, two), 403, 'access_denied', 'chain_cycle');
  });

  const standsOn: [what: string, end: (at: Started, hop: ClientFixture) => Promise<unknown>, reason: string][] = [
    [
      'the person is disabled',
      ({ user }) => app.admin('PATCH', `/admin/users/${user.id}/disable`),
      'subject_user_disabled',
    ],
    [
      'the person is deleted',
      ({ user }) => app.admin('DELETE', `/admin/users/${user.id}?force=true`),
      'subject_user_disabled',
    ],
    [
      'a client in the middle is suspended',
      (_, hop) => app.admin('PATCH', `/admin/clients/${hop.id}/suspend`),
      'subject_client_inactive',
    ],
    [
      'the first client is suspended',
      ({ client }) => app.admin('PATCH', `/admin/clients/${client.id}/suspend`),
      'subject_client_inactive',
    ],
    [
      'the first token is revoked',
      ({ token }) => app.admin('DELETE', `/admin/issuances/${claimsOf(token).jti}`),
      'subject_revoked',
    ],
  ];
  it.each(standsOn)('when in the middle of a chain %s', async (_, end, reason) => {
    const { at, target, hop } = await twoResources();
    const last = await anAgent(app);
    await letExchange(app, target, last);
    const { body } = await exchange(app, hop, at.token, { resource: target.uri });
    await end(at, hop);
    const ask = () => exchange(app, last, body.access_token, { resource: target.uri });
    await expectRefused(ask, 400, 'invalid_grant', reason);
  });

  it('when the subject token is over', async () => {
    const { at, target } = await twoResources();
    app.clock.advance(15 * 60);
    const ask = () => exchange(app, at.client, at.token, { resource: target.uri });
    await expectRefused(ask, 400, 'invalid_grant', 'subject_expired');
  });

  it('[X3] of anything but an access token of this server', async () => {
    const { at, target } = await twoResources();
    const idToken = foreign(at.token, {}, { typ: 'JWT' });
    const [head, body] = at.token.split('.');
    const tokens = {
      'a refresh token': at.tokens.refresh_token,
      'an ID token': idToken,
      'a token of another issuer': foreign(at.token, { iss: 'https://elsewhere.example' }),
      'a token of another key': foreign(at.token, { scope: 'notes:read notes:write notes:admin' }),
      'an unsigned token': `${base64({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
      'a changed token': `${head}.${base64({ ...claimsOf(at.token), sub: 'somebody' })}.${at.token.split('.')[2]}`,
      words: 'not a token at all',
    };
    for (const [what, token] of Object.entries(tokens)) {
      await expectRefused(
        () => exchange(app, at.client, token, { resource: target.uri }),
        400,
        'invalid_grant',
        'subject_signature',
      ).catch((error: unknown) => expect.fail(`${what}: ${String(error)}`));
    }
  });

  it('with an actor token of another client, or one that is no token', async () => {
    const { at, target, hop } = await twoResources();
    const ask = (actor: string) => () =>
      exchange(app, hop, at.token, { resource: target.uri, actor_token: actor, actor_token_type: ACCESS_TOKEN });
    await expectRefused(ask(at.token), 400, 'invalid_grant', 'actor_of_another_client');
    await expectRefused(ask(foreign(at.token, { client_id: hop.id })), 400, 'invalid_grant', 'actor_invalid');
  });

  it('by a client that cannot prove who it is', async () => {
    const at = await started(app);
    const refused = await app.admin('POST', '/admin/clients', {
      client_name: 'Open',
      redirect_uris: [],
      grant_types: [EXCHANGE],
      token_endpoint_auth_method: 'none',
    });
    expect(refused.status).toBe(400);
    const open = await aClient(app);
    const answer = await exchange(app, open, at.token, { resource: at.resource.uri });
    expect([answer.status, answer.body.error]).toEqual([400, 'unauthorized_client']);
  });

  it('when the resource of the subject token is gone: no wider audience takes its place', async () => {
    const narrowing = await startTestApp({
      beside: app,
      clock: app.clock,
      settings: { TOKEN_EXCHANGE_ENABLED: 'true', TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true' },
    });
    const at = await started(app);
    await app.admin('DELETE', `/admin/resources/${at.resource.id}`);
    await expectRefused(() => exchange(narrowing, at.client, at.token), 400, 'invalid_target', 'resource_unknown');
    await narrowing.close();
  });
});

it('[B15] no client can have the id of a person: ids are made here', async () => {
  const { user } = await started(app);
  const draft = { client_name: 'Imposter', redirect_uris: [], grant_types: ['client_credentials'] };
  for (const id of [{ client_id: user.id }, { id: user.id }]) {
    const { status } = await app.admin('POST', '/admin/clients', {
      ...draft,
      ...id,
      token_endpoint_auth_method: 'client_secret_basic',
    });
    expect(status).toBe(400);
  }
  expect(await app.sql('select from clients where id = $1', [user.id])).toEqual([]);
});

describe('whatever is asked for', () => {
  const names = ['notes:read', 'notes:write', 'notes:admin'];

  it('[X10] the scope is within token, target and ceiling, the audience is one that policy allows, the end no later', async () => {
    const [acting, limited, stranger] = await Promise.all([
      anAgent(app),
      anAgent(app, { scope: 'notes:read' }),
      anAgent(app),
    ]);
    const scopes = names.map((name) => ({ name }));
    const [wide, narrow] = await Promise.all([aResource(app, { scopes }), aResource(app)]);
    const at = await started(app);
    await allowed(at, narrow);
    await letExchange(app, narrow, acting, limited);
    const ceilings = new Map([
      [acting, names],
      [limited, ['notes:read']],
      [stranger, names],
      [at.client, names],
    ]);
    const resources = [at.resource.uri, wide.uri, narrow.uri, 'https://nowhere.example', undefined];
    const input = fc.record({
      who: fc.constantFrom(...ceilings.keys()),
      resource: fc.constantFrom(...resources),
      scope: fc.option(
        fc.oneof(
          fc.subarray(names).map((some) => some.join(' ')),
          fc.string({ maxLength: 20 }),
        ),
        { nil: undefined },
      ),
    });
    await fc.assert(
      fc.asyncProperty(input, async ({ who, resource, scope }) => {
        const form = { ...(resource === undefined ? {} : { resource }), ...(scope === undefined ? {} : { scope }) };
        const { status, body } = await exchange(app, who, at.token, form);
        expect([200, 400, 403]).toContain(status);
        if (status !== 200) return;
        const claims = claimsOf(body.access_token);
        const granted: string[] = claims.scope.split(' ');
        const within = [claimsOf(at.token).scope.split(' '), ceilings.get(who)!, ['notes:read', 'notes:write']];
        for (const bound of within) expect(bound).toEqual(expect.arrayContaining(granted));
        expect(claims.aud).toEqual([resource]);
        expect(who === at.client ? [at.resource.uri] : [narrow.uri]).toContain(resource);
        expect(claims.exp).toBeLessThanOrEqual(claimsOf(at.token).exp);
        expect(claims.act?.sub).toBe(who === at.client ? undefined : who.id);
      }),
      { numRuns: 60 },
    );
  });

  it('a poisoned parameter concerns only its own request', async () => {
    const { at, target, hop } = await twoResources();
    const good = Array.from({ length: 20 }, () => exchange(app, hop, at.token, { resource: target.uri }));
    const poison = ['\u0000', '\ud800', 'x'.repeat(60_000)].flatMap((value) =>
      ['subject_token', 'actor_token', 'resource', 'scope', 'audience', 'requested_token_type'].map((name) =>
        postForm(
          app,
          '/oauth/token',
          { grant_type: EXCHANGE, subject_token: at.token, subject_token_type: ACCESS_TOKEN, [name]: value },
          hop,
        ),
      ),
    );
    expect(new Set((await Promise.all(good)).map(({ status }) => status))).toEqual(new Set([200]));
    for (const { status } of await Promise.all(poison)) expect([400, 403, 413]).toContain(status);
    expect((await audited(app, 'token.exchanged')).length).toBeGreaterThanOrEqual(20);
  });
});
