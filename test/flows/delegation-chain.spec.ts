import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, audited, introspect, refresh, type ClientFixture, type ResourceFixture } from '../builders.js';
import { whileHeld } from '../held-lock.js';
import {
  allowed,
  anAgent,
  claimsOf,
  exchange,
  front,
  letActAs,
  letExchange,
  startExchangingApp,
  started,
  type Started,
} from '../exchanges.js';

let app: TestApp;
beforeAll(async () => (app = await startExchangingApp()));
afterAll(() => app.close());

interface Chain {
  at: Started;
  gateway: ClientFixture;
  server: ClientFixture;
  /** The target of the last hop, and who acts as it. */
  api: ResourceFixture;
  apiClient: ClientFixture;
  /** The agent's own token, the gateway's, the MCP server's. */
  tokens: [agent: string, gateway: string, server: string];
  last: () => ReturnType<typeof exchange>;
}

/** Agent → gateway (over a link) → MCP server (allowed by the person) → internal API. */
async function aChain(): Promise<Chain> {
  const agent = await anAgent(app, { client_name: 'Agent', agent: true });
  const [at, behind, api] = await Promise.all([started(app, { client: agent }), aResource(app), aResource(app)]);
  const [gateway, server, apiClient] = await Promise.all([anAgent(app), anAgent(app), anAgent(app)]);
  await allowed(at, api);
  await front(app, at.resource, behind, { 'notes:read': ['notes:read'], 'notes:write': ['notes:write'] });
  await letActAs(app, at.resource, gateway);
  await letActAs(app, api, apiClient);
  await letExchange(app, api, server);
  const first = await exchange(app, gateway, at.token, { resource: behind.uri });
  const last = () => exchange(app, server, first.body.access_token, { resource: api.uri, scope: 'notes:read' });
  const second = await last();
  if (second.status !== 200) throw new Error(JSON.stringify([first.body, second.body]));
  return {
    at,
    gateway,
    server,
    api,
    apiClient,
    tokens: [at.token, first.body.access_token, second.body.access_token],
    last,
  };
}

const activity = ({ at, gateway, server, tokens: [own, one, two] }: Chain): Promise<boolean[]> =>
  Promise.all(
    [
      [own, at.client],
      [one, gateway],
      [two, server],
    ].map(async ([token, client]) => (await introspect(app, token as string, client as ClientFixture)).active),
  );

describe('a chain agent → gateway → MCP server → internal API', () => {
  it('[X6 X9] is told by each token, by introspection and by the audit alike', async () => {
    const { at, gateway, server, api, apiClient, tokens } = await aChain();
    const [own, one, two] = tokens.map(claimsOf);
    expect(own).toMatchObject({ sub: at.user.id, client_id: at.client.id, agent_id: at.client.id });
    expect([own.act, own.agent_chain]).toEqual([undefined, undefined]);
    const gatewayActs = { sub: gateway.id, actor_type: 'service' };
    expect(one).toMatchObject({
      sub: at.user.id,
      client_id: gateway.id,
      act: gatewayActs,
      agent_chain: [at.client.id, gateway.id],
      via: expect.stringContaining('>'),
    });
    const act = { sub: server.id, actor_type: 'service', act: gatewayActs };
    const agent_chain = [at.client.id, gateway.id, server.id];
    expect(two).toMatchObject({ sub: at.user.id, client_id: server.id, aud: [api.uri], act, agent_chain });
    expect([two.via, two.scope]).toEqual([undefined, 'notes:read']);
    expect(await introspect(app, tokens[2], apiClient)).toMatchObject({
      active: true,
      act,
      agent_chain,
      sub: at.user.id,
    });
    const [fact] = await audited(app, 'token.exchanged');
    expect(fact!.detail).toMatchObject({ jti: two.jti, act, sub: at.user.id, subject_client: gateway.id });
    const [row] = await app.sql('select * from issuances where jti = $1', [two.jti]);
    expect(row).toMatchObject({
      parent_jti: one.jti,
      ancestors: [own.jti, one.jti],
      agent_chain,
      consent_client_id: at.client.id,
      subject: at.user.id,
    });
  });

  const ends: [what: string, end: (chain: Chain) => Promise<unknown>, alive: boolean[]][] = [
    [
      'the first consent is withdrawn',
      async ({ tokens }) => {
        const [row] = await app.sql<{ consent_id: string }>('select consent_id from issuances where jti = $1', [
          claimsOf(tokens[0]).jti,
        ]);
        return app.admin('DELETE', `/admin/grants/consent/${row!.consent_id}`);
      },
      [false, false, false],
    ],
    [
      'the first issuance is revoked',
      ({ tokens }) => app.admin('DELETE', `/admin/issuances/${claimsOf(tokens[0]).jti}`),
      [false, false, false],
    ],
    [
      'the second issuance is revoked',
      ({ tokens }) => app.admin('DELETE', `/admin/issuances/${claimsOf(tokens[1]).jti}`),
      [true, false, false],
    ],
    [
      'the person is disabled',
      ({ at }) => app.admin('PATCH', `/admin/users/${at.user.id}/disable`),
      [false, false, false],
    ],
    [
      'the gateway is suspended',
      ({ gateway }) => app.admin('PATCH', `/admin/clients/${gateway.id}/suspend`),
      [true, false, false],
    ],
    [
      'the agent is suspended',
      ({ at }) => app.admin('PATCH', `/admin/clients/${at.client.id}/suspend`),
      [false, false, false],
    ],
    [
      'the family ends by reuse',
      async ({ at }) => {
        await refresh(at, at.tokens.refresh_token);
        app.clock.advance(60);
        return refresh(at, at.tokens.refresh_token);
      },
      [false, false, false],
    ],
    [
      'the consent at the last target is withdrawn',
      async ({ api, at }) => {
        const [row] = await app.sql<{ id: string }>('select id from consents where user_id = $1 and resource_id = $2', [
          at.user.id,
          api.id,
        ]);
        return app.admin('DELETE', `/admin/grants/consent/${row!.id}`);
      },
      [true, true, false],
    ],
  ];

  it.each(ends)('ends below the point where %s', async (_, end, alive) => {
    const chain = await aChain();
    expect(await activity(chain)).toEqual([true, true, true]);
    await end(chain);
    const seen = await activity(chain);
    // Clients that were suspended cannot ask; the rows speak for them.
    expect(seen.map((active) => active ?? false)).toEqual(alive);
    const again = await chain.last();
    expect([again.status, again.body.error]).toEqual([400, alive[1] ? 'consent_required' : 'invalid_grant']);
  });

  it('is born dead when the consent falls while its last token is being minted', async () => {
    const chain = await aChain();
    const [row] = await app.sql<{ consent_id: string }>('select consent_id from issuances where jti = $1', [
      claimsOf(chain.tokens[0]).jti,
    ]);
    const withdraw = () => app.admin('DELETE', `/admin/grants/consent/${row!.consent_id}`);
    const { status, body } = await whileHeld(app, 'lock table issuances in exclusive mode', chain.last, withdraw);
    expect(status).toBe(200);
    expect(await introspect(app, body.access_token, chain.apiClient)).toEqual({ active: false });
    expect((await chain.last()).body.error).toBe('invalid_grant');
  });
});
