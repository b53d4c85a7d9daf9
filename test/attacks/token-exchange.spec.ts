import { createPrivateKey, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aResource,
  basicOf,
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
  expectRefused,
  front,
  issuances,
  letActAs,
  letExchange,
  startExchangingApp,
  started,
  type Started,
} from '../exchanges.js';
import { temporaryDirectory } from '../postgres.js';

const keys = temporaryDirectory();
let app: TestApp;
beforeAll(async () => {
  app = await startExchangingApp({ TOKEN_EXCHANGE_MAX_CHAIN_DEPTH: '2', SIGNING_KEY_PATH: keys.path });
});
afterAll(async () => {
  await app.close();
  keys.remove();
});

const refuses = (attack: () => Promise<TokenResponse>, ...told: [number, string, string]): Promise<TokenResponse> =>
  expectRefused(app, attack, told);

/** The first client may use both resources; `hop` may exchange for the second. */
async function twoResources(): Promise<{ at: Started; target: ResourceFixture; hop: ClientFixture }> {
  const [at, target, hop] = await Promise.all([started(app), aResource(app), anAgent(app)]);
  await allowed(at, target);
  await letExchange(app, target, hop);
  return { at, target, hop };
}

const base64 = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

const headOf = (token: string): { kid: string } =>
  JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString());

/** A JWT like `token`, with other claims, signed by a key of the attacker's own unless another is given. */
function likeIt(token: string, claims: object, header: object = {}, key: KeyObject = strange): string {
  const input = `${base64({ ...headOf(token), ...header })}.${base64({ ...claimsOf(token), ...claims })}`;
  return `${input}.${sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}
const strange = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

/** The same, signed by the server's own key: what another product under that key would sign. */
const signedHere = (token: string, claims: object, header: object = {}): string => {
  const pem = readFileSync(join(keys.path, `${headOf(token).kid}.pem`), 'utf8');
  return likeIt(token, claims, header, createPrivateKey(pem));
};

describe('an exchange is refused', () => {
  it('[X10] that widens the scope, of the token, of the target or of the client', async () => {
    const at = await started(app, { scope: 'notes:read' });
    const target = await aResource(app);
    await allowed(at, target);
    const ask =
      (scope: string, acting = at.client) =>
      () =>
        exchange(app, acting, at.token, { resource: target.uri, scope });
    await refuses(ask('notes:read notes:write'), 400, 'invalid_scope', 'scope_not_held');
    await refuses(ask('notes:admin'), 400, 'invalid_scope', 'scope_not_in_catalog');
    const narrow = await anAgent(app, { scope: 'files:read' });
    await letExchange(app, target, narrow);
    await refuses(ask('notes:read', narrow), 400, 'invalid_scope', 'scope_above_ceiling');
  });

  it('[X10] that widens the audience past what the person allowed', async () => {
    const at = await started(app);
    const elsewhere = await aResource(app);
    await refuses(
      () => exchange(app, at.client, at.token, { resource: elsewhere.uri }),
      400,
      'consent_required',
      'consent_missing',
    );
    await refuses(
      () => exchange(app, at.client, at.token, { resource: app.issuer }),
      400,
      'invalid_target',
      'resource_unknown',
    );
    await refuses(() => exchange(app, at.client, at.token), 403, 'access_denied', 'self_exchange_disabled');
  });

  it('[X8] by a client that no policy names, of another’s token', async () => {
    const at = await started(app);
    const thief = await anAgent(app);
    const ask = (resource: ResourceFixture) => () => exchange(app, thief, at.token, { resource: resource.uri });
    await refuses(ask(at.resource), 403, 'access_denied', 'cross_client_denied');
    await letExchange(app, at.resource, at.client);
    await refuses(ask(at.resource), 403, 'access_denied', 'operator_gate_denied');
    await letActAs(app, at.resource, thief);
    await refuses(ask(at.resource), 403, 'access_denied', 'operator_gate_denied');
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
    await refuses(ask, 403, 'access_denied', 'cross_client_denied');
    await front(app, at.resource, target, { 'notes:read': ['notes:read'] });
    await letExchange(app, target, gateway);
    await refuses(ask, 403, 'access_denied', 'fronting_caller_not_authorized');
  });

  it('[X9] that makes the chain too deep, or a circle', async () => {
    const [at, target] = await Promise.all([started(app), aResource(app)]);
    await allowed(at, target);
    const hops = await Promise.all([anAgent(app), anAgent(app), anAgent(app)]);
    await letExchange(app, target, at.client, ...hops);
    const step = (acting: ClientFixture, token: string) => exchange(app, acting, token, { resource: target.uri });
    const one = (await step(hops[0]!, at.token)).body.access_token;
    const two = (await step(hops[1]!, one)).body.access_token;
    await refuses(() => step(hops[2]!, two), 403, 'access_denied', 'chain_too_deep');
    await refuses(() => step(hops[0]!, two), 403, 'access_denied', 'chain_cycle');
    await refuses(() => step(at.client, two), 403, 'access_denied', 'chain_cycle');
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
    await refuses(ask, 400, 'invalid_grant', reason);
  });

  it('when the subject token is over', async () => {
    const { at, target } = await twoResources();
    app.clock.advance(15 * 60);
    const ask = () => exchange(app, at.client, at.token, { resource: target.uri });
    await refuses(ask, 400, 'invalid_grant', 'subject_expired');
  });

  it('[X3] of anything but an access token of this server', async () => {
    const { at, target, hop } = await twoResources();
    const [head, body] = at.token.split('.');
    const ask = (token: string) => () => exchange(app, hop, token, { resource: target.uri });
    const tokens = {
      'a refresh token': at.tokens.refresh_token,
      'a token of another key': likeIt(at.token, { scope: 'notes:read notes:write notes:admin' }),
      'an ID token under our key': signedHere(at.token, {}, { typ: 'JWT' }),
      'a token without a type': signedHere(at.token, {}, { typ: undefined }),
      'a token of another issuer under our key': signedHere(at.token, { iss: 'https://elsewhere.example' }),
      'a token that was never issued': signedHere(at.token, { jti: randomUUID() }),
      'a token without an end': signedHere(at.token, { exp: undefined }),
      'an unsigned token': `${base64({ alg: 'none', typ: 'at+jwt' })}.${body}.`,
      'a changed token': `${head}.${base64({ ...claimsOf(at.token), sub: 'somebody' })}.${at.token.split('.')[2]}`,
      words: 'not a token at all',
    };
    for (const [what, token] of Object.entries(tokens)) {
      await refuses(ask(token), 400, 'invalid_grant', 'subject_signature').catch((error: unknown) =>
        expect.fail(`${what}: ${String(error)}`),
      );
    }
    // What is signed is not what counts: the same token signed anew is the one that was issued.
    expect((await ask(signedHere(at.token, {}))()).status).toBe(200);
    const { status } = await app.admin('DELETE', `/admin/issuances/${claimsOf(at.token).jti}`);
    expect(status).toBe(204);
    const later = claimsOf(at.token).exp + 3600;
    await refuses(ask(signedHere(at.token, { exp: later })), 400, 'invalid_grant', 'subject_revoked');
  });

  it('with an actor token of another client, one that is no token, or one that is over', async () => {
    const { at, target, hop } = await twoResources();
    const ask = (actor: string) => () =>
      exchange(app, hop, at.token, { resource: target.uri, actor_token: actor, actor_token_type: ACCESS_TOKEN });
    await refuses(ask(at.token), 400, 'invalid_grant', 'actor_of_another_client');
    await refuses(ask(likeIt(at.token, { client_id: hop.id })), 400, 'invalid_grant', 'actor_invalid');
    const { token: own } = await started(app, { client: hop });
    expect((await ask(own)()).status).toBe(200);
    await app.admin('DELETE', `/admin/issuances/${claimsOf(own).jti}`);
    await refuses(ask(own), 400, 'invalid_grant', 'actor_invalid');
  });

  it('by a client that cannot prove who it is, also one whose secret was taken away behind our back', async () => {
    const { at, target, hop } = await twoResources();
    const refused = await app.admin('POST', '/admin/clients', {
      client_name: 'Open',
      redirect_uris: [],
      grant_types: [EXCHANGE],
      token_endpoint_auth_method: 'none',
    });
    expect(refused.status).toBe(400);
    const open = await aClient(app);
    const ask = (acting: ClientFixture) => () => exchange(app, acting, at.token, { resource: target.uri });
    await refuses(ask(open), 400, 'unauthorized_client', 'grant_not_registered');
    await app.sql(`update clients set token_endpoint_auth_method = 'none', version = version + 1 where id = $1`, [
      hop.id,
    ]);
    await refuses(ask({ ...hop, secret: undefined }), 401, 'invalid_client', 'credentials_missing');
  });

  it('[X9] that leads a machine’s token in a circle', async () => {
    const machine = await anAgent(app, { scope: 'notes:read' });
    const [source, target, gateway] = await Promise.all([aResource(app), aResource(app), anAgent(app)]);
    await letExchange(app, target, machine, gateway);
    const form = { grant_type: 'client_credentials', resource: source.uri };
    const { body } = await postForm(app, '/oauth/token', form, machine);
    const there = await exchange(app, gateway, body.access_token, { resource: target.uri });
    expect(claimsOf(there.body.access_token)).toMatchObject({ sub: machine.id, act: { sub: gateway.id } });
    const back = () => exchange(app, machine, there.body.access_token, { resource: target.uri });
    await refuses(back, 403, 'access_denied', 'chain_cycle');
  });

  it('[X10] of a machine’s token, its own too, where the target does not name the client', async () => {
    const machine = await anAgent(app, { scope: 'notes:read' });
    const [source, target] = await Promise.all([aResource(app), aResource(app)]);
    const { body } = await postForm(app, '/oauth/token', { grant_type: 'client_credentials' }, machine);
    const at = await postForm(app, '/oauth/token', { grant_type: 'client_credentials', resource: source.uri }, machine);
    for (const token of [body.access_token, at.body.access_token]) {
      const ask = () => exchange(app, machine, token, { resource: target.uri });
      await refuses(ask, 403, 'access_denied', 'operator_gate_denied');
    }
  });

  it('[X5] that names two targets, in whatever way', async () => {
    const { at, target, hop } = await twoResources();
    const ask = (more: Record<string, string>) => () => exchange(app, hop, at.token, more);
    const both = { resource: target.uri, audience: at.resource.uri };
    await refuses(ask(both), 400, 'invalid_target', 'audience_differs');
    await refuses(ask({ audience: target.uri }), 400, 'invalid_target', 'audience_differs');
    await refuses(ask({ resource: target.slug }), 400, 'invalid_target', 'resource_unknown');
    const twice = new URLSearchParams({ grant_type: EXCHANGE, subject_token: at.token, resource: target.uri });
    twice.append('resource', at.resource.uri);
    const answer = await fetch(`${app.url}/oauth/token`, { method: 'POST', headers: basicOf(hop), body: twice });
    expect([answer.status, ((await answer.json()) as { error: string }).error]).toEqual([400, 'invalid_target']);
  });

  it('when the resource of the subject token is gone: no wider audience takes its place', async () => {
    const narrowing = await startTestApp({
      beside: app,
      clock: app.clock,
      settings: {
        TOKEN_EXCHANGE_ENABLED: 'true',
        TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
        SIGNING_KEY_PATH: keys.path,
      },
    });
    const at = await started(app);
    const target = await aResource(app);
    await allowed(at, target);
    await app.admin('DELETE', `/admin/resources/${at.resource.id}`);
    await refuses(() => exchange(narrowing, at.client, at.token), 400, 'invalid_target', 'resource_unknown');
    const elsewhere = () => exchange(app, at.client, at.token, { resource: target.uri });
    await refuses(elsewhere, 400, 'invalid_target', 'resource_unknown');
    await narrowing.close();
  });

  it('when the resource of a machine’s token has moved: the token is for where it was', async () => {
    const machine = await anAgent(app, { scope: 'notes:read' });
    const [source, target, gateway] = await Promise.all([aResource(app), aResource(app), anAgent(app)]);
    await letExchange(app, target, gateway);
    const form = { grant_type: 'client_credentials', resource: source.uri };
    const { body } = await postForm(app, '/oauth/token', form, machine);
    const ask = () => exchange(app, gateway, body.access_token, { resource: target.uri });
    expect((await ask()).status).toBe(200);
    const moved = await app.admin('PATCH', `/admin/resources/${source.id}`, { uri: `${source.uri}/moved` });
    expect(moved.status).toBe(200);
    await refuses(ask, 400, 'invalid_target', 'resource_unknown');
  });
});

it('[B15] no client can have the id of a person, nor a person that of a client: ids are made here', async () => {
  const { user, client } = await started(app);
  const before = await issuances(app);
  const draft = { client_name: 'Imposter', redirect_uris: [], grant_types: ['client_credentials'] };
  for (const id of [{ client_id: user.id }, { id: user.id }]) {
    const { status, body } = await app.admin('POST', '/admin/clients', {
      ...draft,
      ...id,
      token_endpoint_auth_method: 'client_secret_basic',
    });
    expect([status, body.detail]).toEqual([400, `property ${Object.keys(id)[0]} should not exist`]);
  }
  const person = { email: 'twin@people.example', name: 'Twin', password: 'correct horse battery', id: client.id };
  expect((await app.admin('POST', '/admin/users', person)).status).toBe(400);
  const self = await fetch(`${app.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ client_id: user.id, redirect_uris: ['https://client.example/callback'] }),
  });
  expect(self.status).toBe(201);
  expect(((await self.json()) as { client_id: string }).client_id).not.toBe(user.id);
  expect(await app.sql('select from clients where id in (select id::text from users)')).toEqual([]);
  expect(await issuances(app)).toBe(before);
});

/** Percent-encoded as it stands, where a form of the platform would mend it first. */
const poisons = { 'U+0000': '%00', 'a lone surrogate': '%ED%A0%80', '1 MB': 'x'.repeat(1_000_000) };

it('a poisoned value in any parameter concerns only its own request, among a hundred good ones', async () => {
  const { at, target, hop } = await twoResources();
  const before = await issuances(app);
  const good = Array.from({ length: 100 }, () => exchange(app, hop, at.token, { resource: target.uri }));
  const form = {
    grant_type: EXCHANGE,
    subject_token: at.token,
    subject_token_type: ACCESS_TOKEN,
    actor_token: at.token,
    actor_token_type: ACCESS_TOKEN,
    resource: target.uri,
    audience: target.uri,
    scope: 'notes:read',
    requested_token_type: ACCESS_TOKEN,
    client_id: hop.id,
  };
  const poisoned = Object.entries(poisons).flatMap(([what, poison]) =>
    Object.keys(form).map(async (name) => {
      const rest = new URLSearchParams(Object.entries(form).filter(([other]) => other !== name));
      const headers = { ...basicOf(hop), 'content-type': 'application/x-www-form-urlencoded' };
      const body = `${rest.toString()}&${name}=${poison}`;
      const { status } = await fetch(`${app.url}/oauth/token`, { method: 'POST', headers, body });
      return [what, name, status];
    }),
  );
  expect(new Set((await Promise.all(good)).map(({ status }) => status))).toEqual(new Set([200]));
  for (const [what, name, status] of await Promise.all(poisoned))
    expect([what, name, status]).toEqual([what, name, what === '1 MB' ? 413 : 400]);
  expect(await issuances(app)).toBe(before + 100);
});
