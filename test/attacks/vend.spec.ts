import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aGrantedCode, aResource, postForm, type TokenResponse } from '../builders.js';
import {
  aProvider,
  aVending,
  aWorld,
  letUse,
  startBrokerApp,
  stateOf,
  type Vending,
  type World,
} from '../brokering.js';
import { aKey, aProof, askWith } from '../dpop.js';
import {
  ACCESS_TOKEN,
  anAgent,
  EXCHANGE,
  exchange,
  front,
  letActAs,
  letExchange,
  outcome,
  started,
} from '../exchanges.js';
import { whileHeld } from '../held-lock.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
afterAll(async () => {
  await app.close();
  await world.end();
});

const vended = async (): Promise<unknown[]> => app.sql('select jti from issuances where kid is null');

/** The answer, the private reason, and that nothing was vended and upstream heard nothing of it. */
async function expectRefused(
  attack: () => Promise<TokenResponse>,
  [status, error, reason]: [status: number, error: string, reason: string],
): Promise<TokenResponse> {
  const before = [await vended(), world.proxy.seen.length];
  const answer = await attack();
  expect([answer.status, answer.body.error]).toEqual([status, error]);
  expect(answer.body).not.toHaveProperty('access_token');
  expect(
    await app.sql('select action, reason from audit_events where request_id = $1', [answer.body.request_id]),
  ).toEqual([{ action: 'token.exchange_denied', reason }]);
  expect([await vended(), world.proxy.seen.length]).toEqual(before);
  return answer;
}

const noAccount = 'connect your Acme account to continue';

describe('no upstream token', () => {
  it('for a request with an actor token, not even the right one', async () => {
    const { ask, server } = await aVending(app, world);
    const { body } = await postForm(
      app,
      '/oauth/token',
      { grant_type: 'client_credentials', scope: 'repo:read' },
      server,
    );
    expect(body.error).toBe('invalid_scope');
    const own = await started(app, { client: server });
    await expectRefused(
      () => ask({ actor_token: own.token, actor_token_type: ACCESS_TOKEN }),
      [400, 'invalid_request', 'actor_token_at_broker'],
    );
    for (const actor_token of [(await started(app)).token, 'no.token.at-all'])
      await expectRefused(
        () => ask({ actor_token, actor_token_type: ACCESS_TOKEN }),
        [400, 'invalid_request', 'actor_token_at_broker'],
      );
    expect((await ask()).status).toBe(200);
  });

  it('for a machine', async () => {
    const { server, source, target } = await aVending(app, world);
    await app.admin('PATCH', `/admin/clients/${server.id}`, { scope: 'repo:read' });
    const form = { grant_type: 'client_credentials', resource: source.uri };
    const { body } = await postForm(app, '/oauth/token', form, server);
    await letExchange(app, target, server);
    const ask = () => exchange(app, server, body.access_token, { resource: target.uri });
    await expectRefused(ask, [400, 'invalid_grant', 'machine_into_broker']);
    await front(app, source, target, { 'repo:read': ['repo:read'] });
    await expectRefused(ask, [400, 'invalid_grant', 'machine_into_broker']);
  });

  it('for a client that acts as no MCP server, or as more than one', async () => {
    const { at, target, server, ask } = await aVending(app, world);
    const stranger = await anAgent(app);
    const as =
      (client = stranger) =>
      () =>
        exchange(app, client, at.token, { resource: target.uri });
    await expectRefused(as(), [400, 'invalid_grant', 'agent_attestation_unknown_actor']);
    await expectRefused(as(at.client), [400, 'invalid_grant', 'agent_attestation_unknown_actor']);
    await letActAs(app, await aResource(app), server);
    await expectRefused(() => ask(), [400, 'invalid_grant', 'agent_attestation_ambiguous_actor']);
    expect((await ask()).body.error_description).toBe('this client acts as several resources of this server');
  });

  it('for an MCP server with a token that was shown to another', async () => {
    const [mine, other] = [await aVending(app, world), await aVending(app, world)];
    const ask = () => exchange(app, other.server, mine.at.token, { resource: mine.target.uri });
    await expectRefused(ask, [400, 'invalid_request', 'fronting_link_missing']);
    await letExchange(app, mine.target, other.server);
    await expectRefused(ask, [400, 'invalid_request', 'fronting_link_missing']);
  });

  it('over a link for a client that is not the gateway', async () => {
    const { at, source, target, server, ask } = await aVending(app, world);
    await front(app, source, target, { 'repo:read': ['repo:read'] });
    const stranger = await anAgent(app);
    await letExchange(app, target, stranger);
    await expectRefused(
      () => exchange(app, stranger, at.token, { resource: target.uri }),
      [403, 'access_denied', 'fronting_caller_not_authorized'],
    );
    await expectRefused(() => ask(), [403, 'access_denied', 'fronting_caller_not_authorized']);
    await letExchange(app, target, server);
    expect((await ask()).status).toBe(200);
  });

  it('past the list of the target, once it lists anybody', async () => {
    const { ask, target, at } = await aVending(app, world);
    await letExchange(app, target, at.client);
    await expectRefused(() => ask(), [403, 'access_denied', 'operator_gate_denied']);
  });

  it('for more than the agent’s token holds, the target declares, or a link maps', async () => {
    const { ask, source, target } = await aVending(app, world, { agentScope: 'repo:read' });
    await expectRefused(() => ask({ scope: 'repo:write' }), [400, 'invalid_scope', 'scope_not_held']);
    await expectRefused(() => ask({ scope: 'repo:admin' }), [400, 'invalid_scope', 'scope_not_in_catalog']);
    await front(app, source, target, { 'repo:write': ['repo:read'] });
    await expectRefused(() => ask({ scope: 'repo:read' }), [400, 'invalid_scope', 'scope_not_held']);
    await expectRefused(() => ask(), [400, 'invalid_scope', 'scope_nothing_left']);
  });

  it('[A27] for a second MCP server of an account that is connected for the first', async () => {
    const { at, provider, target } = await aVending(app, world);
    const second = await aResource(app, { scopes: [{ name: 'repo:read' }, { name: 'repo:write' }] });
    const server = await anAgent(app);
    await letActAs(app, second, server);
    const there = await started(app, { client: at.client, user: at.user, resource: second, scope: 'repo:read' });
    const ask = () => exchange(app, server, there.token, { resource: target.uri });
    const { body } = await expectRefused(ask, [400, 'consent_required', 'connection_not_consented']);
    expect(body).toMatchObject({ error_description: noAccount, cause: 'consent_missing', expires_in: 900 });
    expect(body.consent_url).toMatch(new RegExp(`^${app.issuer}/connect/${provider.slug}\\?request=`));
    await letUse(app, { userId: at.user.id, provider }, second, ['repo:read']);
    expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
  });

  it('of anybody else’s account', async () => {
    const mine = await aVending(app, world);
    const other = await started(app, { client: mine.at.client, resource: mine.source, scope: 'repo:read' });
    const ask = () => exchange(app, mine.server, other.token, { resource: mine.target.uri });
    const { body } = await expectRefused(ask, [400, 'consent_required', 'connection_missing']);
    expect(body.error_description).toBe(noAccount);
  });

  it('of another provider’s account', async () => {
    const { ask, target } = await aVending(app, world);
    const elsewhere = await aProvider(app, world);
    await app.sql('update resources set broker_provider_id = $2 where id = $1', [target.id, elsewhere.id]);
    await app.sql('update policy_epoch set epoch = epoch + 1');
    await expectRefused(() => ask(), [400, 'consent_required', 'connection_missing']);
  });

  it('after the person disconnected, also while one is kept', async () => {
    const { ask, connection } = await aVending(app, world);
    expect((await ask()).status).toBe(200);
    await app.sql(`update connections set status = 'disconnected' where id = $1`, [connection.id]);
    await expectRefused(() => ask(), [400, 'consent_required', 'connection_ended']);
  });

  it('after the person took back what the MCP server may have of the account', async () => {
    const { ask, consent } = await aVending(app, world);
    expect((await ask()).status).toBe(200);
    await app.sql('update connection_consents set revoked_at = now() where id = $1', [consent.id]);
    await expectRefused(() => ask(), [400, 'consent_required', 'connection_not_consented']);
  });

  it('after the person took back what the agent may do at the MCP server', async () => {
    const { ask, at } = await aVending(app, world);
    expect((await ask()).status).toBe(200);
    const [row] = await app.sql<{ id: string }>('select id from consents where client_id = $1', [at.client.id]);
    await app.admin('DELETE', `/admin/grants/consent/${row!.id}`);
    await expectRefused(() => ask(), [400, 'invalid_grant', 'subject_revoked']);
  });

  it('for what the agent’s consent at the MCP server no longer covers, which its page can mend', async () => {
    const { ask, at } = await aVending(app, world);
    await app.sql(`update consents set scopes = '{repo:read}' where client_id = $1`, [at.client.id]);
    const { body } = await expectRefused(
      () => ask({ scope: 'repo:write' }),
      [400, 'consent_required', 'scope_not_consented'],
    );
    expect(body.consent_url).toMatch(new RegExp(`^${app.issuer}/consent\\?request=`));
  });

  it('for scopes beyond what the person let the MCP server have, or what upstream granted', async () => {
    const { ask, consent, connection } = await aVending(app, world);
    await app.sql(`update connection_consents set scopes = '{repo:read}' where id = $1`, [consent.id]);
    const consented = await expectRefused(
      () => ask({ scope: 'repo:write' }),
      [400, 'consent_required', 'scope_not_consented'],
    );
    expect(consented.body).toMatchObject({
      error_description: 'more access to Acme is needed',
      cause: 'scope_insufficient',
    });
    await app.sql(`update connections set scopes = '{repo:write}' where id = $1`, [connection.id]);
    const { body } = await expectRefused(() => ask(), [400, 'consent_required', 'scope_not_connected']);
    expect(body.cause).toBe('scope_insufficient');
  });

  it('by an operator’s own key for a client that nobody named', async () => {
    const vending = await aVending(app, world);
    await app.sql(`update broker_providers set protocol = 'api_key' where id = $1`, [vending.provider.id]);
    await expectRefused(() => vending.ask(), [403, 'access_denied', 'operator_gate_denied']);
    await letExchange(app, vending.target, vending.at.client);
    await expectRefused(() => vending.ask(), [403, 'access_denied', 'operator_gate_denied']);
  });
});

describe('an agent’s token that is bound to a key', () => {
  async function bound(): Promise<Vending & { token: string }> {
    const vending = await aVending(app, world);
    const { at } = vending;
    const { code, verifier } = await aGrantedCode(at, { scope: 'repo:read repo:write' });
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier };
    const { body } = await askWith(app, await aProof(app, await aKey()), form, at.client);
    return { ...vending, token: body.access_token };
  }

  it('vends to the MCP server it was shown to, as a bearer token even with a proof', async () => {
    const { server, target, token } = await bound();
    const form = { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN, resource: target.uri };
    const { status, body } = await askWith(app, await aProof(app, await aKey()), form, server);
    expect([status, body.token_type]).toEqual([200, 'Bearer']);
    const [row] = await app.sql('select dpop_jkt from issuances where client_id = $1', [server.id]);
    expect(row).toEqual({ dpop_jkt: null });
  });

  it('is not washed by whoever else holds it', async () => {
    const { target, token, at } = await bound();
    const other = await aVending(app, world);
    await letExchange(app, target, other.server);
    await expectRefused(
      () => exchange(app, other.server, token, { resource: target.uri }),
      [403, 'access_denied', 'bound_subject_not_audience'],
    );
    await expectRefused(
      () => exchange(app, at.client, token, { resource: target.uri }),
      [400, 'invalid_dpop_proof', 'dpop_missing'],
    );
  });
});

describe('what ends between decision and commit', () => {
  /** Holds the table that a vend of a kept token needs for nothing but its storing statement: the token is in hand by then. */
  const meanwhile = (vending: Vending, change: () => Promise<unknown>): Promise<TokenResponse> =>
    whileHeld(app, 'lock table audit_events in access exclusive mode', () => vending.ask(), change);

  const revoke = (kind: string, id: string | undefined): Promise<unknown> =>
    app.sql(`insert into revocations (kind, id, reason, at, expires_at) values ($1, $2, 'test', now(), now())`, [
      kind,
      id,
    ]);
  const issuanceOf = async ({ at }: Vending): Promise<Record<'jti' | 'family_id' | 'consent_id', string>> =>
    (await app.sql<any>('select jti, family_id, consent_id from issuances where client_id = $1', [at.client.id]))[0];

  const endings: [what: string, change: (vending: Vending) => Promise<unknown>, expected: [number, string]][] = [
    [
      'the connection',
      ({ connection }) => app.sql(`update connections set status = 'disconnected' where id = $1`, [connection.id]),
      [400, 'consent_required'],
    ],
    [
      'the connection consent',
      ({ consent }) => app.sql('update connection_consents set revoked_at = now() where id = $1', [consent.id]),
      [400, 'consent_required'],
    ],
    [
      'the family of the agent’s token',
      async (vending) => revoke('family', (await issuanceOf(vending)).family_id),
      [400, 'invalid_grant'],
    ],
    ['the agent’s token', async (vending) => revoke('jti', (await issuanceOf(vending)).jti), [400, 'invalid_grant']],
    [
      'the agent’s consent at the MCP server',
      async (vending) => revoke('consent', (await issuanceOf(vending)).consent_id),
      [400, 'invalid_grant'],
    ],
    [
      'the agent itself',
      ({ at }) =>
        app.sql(`update clients set status = 'suspended', version = version + 1 where id = $1`, [at.client.id]),
      [400, 'invalid_grant'],
    ],
    [
      'the person',
      ({ at }) => app.sql(`update users set status = 'disabled', version = version + 1 where id = $1`, [at.user.id]),
      [400, 'invalid_grant'],
    ],
  ];

  it.each(endings)('%s', async (_, change, expected) => {
    const vending = await aVending(app, world);
    expect((await vending.ask()).status).toBe(200);
    const before = await vended();
    const { status, body } = await meanwhile(vending, () => change(vending));
    expect([status, body.error]).toEqual(expected);
    expect(body).not.toHaveProperty('access_token');
    expect(await vended()).toEqual(before);
  });

  it('policy: it is decided again, and vended', async () => {
    const vending = await aVending(app, world);
    const first = await vending.ask();
    const { status, body } = await meanwhile(vending, () => app.sql('update policy_epoch set epoch = epoch + 1'));
    expect([status, body.access_token]).toEqual([200, first.body.access_token]);
    expect(await stateOf(app, vending.connection)).toMatchObject({ version: 2 });
  });
});
