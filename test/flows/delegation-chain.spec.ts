import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import {
  aResource,
  audited,
  aUser,
  introspect,
  refresh,
  signIn,
  type ClientFixture,
  type ResourceFixture,
  type UserFixture,
} from '../builders.js';
import { CommandLine } from '../command-line.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser } from '../http-browser.js';
import { TypedGuide } from '../typed-guide.js';
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
  /** The target of the last hop. */
  api: ResourceFixture;
  /** Acts as each of the resources, and so may ask about every token; nobody ever suspends it. */
  apiClient: ClientFixture;
  /** The agent's own token, the gateway's, the MCP server's. */
  tokens: [agent: string, gateway: string, server: string];
  last: () => ReturnType<typeof exchange>;
}

/** The resource of the README's first tool call, with which the guide goes on. */
const NOTES = { slug: 'notes', uri: 'http://localhost:8080/mcp' };

/** Agent → gateway (over a link) → MCP server (allowed by the person) → internal API. */
async function aChain(): Promise<Chain> {
  const agent = await anAgent(app, { client_name: 'Agent', agent: true });
  const [source, behind, api] = await Promise.all([aResource(app), aResource(app), aResource(app)]);
  const at = await started(app, { client: agent, resource: source });
  const [gateway, server, apiClient] = await Promise.all([anAgent(app), anAgent(app), anAgent(app)]);
  await allowed(at, api);
  await front(app, at.resource, behind, { 'notes:read': ['notes:read'], 'notes:write': ['notes:write'] });
  await letActAs(app, at.resource, gateway);
  for (const resource of [at.resource, behind, api]) await letActAs(app, resource, apiClient);
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

/** The person opens a consent link, signs in and allows. */
async function allowAt(at: TestApp, user: UserFixture, url: string): Promise<void> {
  const browser = new HttpBrowser();
  const page = await browser.follow(
    await signIn(browser, await browser.follow(await browser.get(url), at.url), user),
    at.url,
  );
  await browser.post(`${at.url}/consent`, { ...page.form('decision'), decision: 'allow' });
}

const activity = ({ apiClient, tokens }: Chain): Promise<boolean[]> =>
  Promise.all(tokens.map(async (token) => (await introspect(app, token, apiClient)).active));

/** Since when the operator sees each token as revoked. */
const revokedAt = ({ tokens }: Chain): Promise<(string | undefined)[]> =>
  Promise.all(
    tokens.map(async (token) => (await app.admin('GET', `/admin/issuances/${claimsOf(token).jti}`)).body.revoked_at),
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
    expect(fact!.detail).toMatchObject({ jti: two.jti, act, agent_chain, sub: at.user.id, subject_client: gateway.id });
    const [row] = await app.sql('select * from issuances where jti = $1', [two.jti]);
    expect(row).toMatchObject({
      parent_jti: one.jti,
      ancestors: [own.jti, one.jti],
      agent_chain,
      consent_client_id: at.client.id,
      subject: at.user.id,
    });
  });

  it('[X9] comes of typing the guide, and is what it shows hop by hop: in the tokens, in introspection and in the audit', async () => {
    const [cli, user, notes] = [new CommandLine(app), await aUser(app), await aResource(app, NOTES)];
    const refusals: unknown[] = [];
    const guide = new TypedGuide('delegation', { app, cli, user }, ({ body }) => {
      refusals.push([body.error, body.cause]);
      return allowAt(app, user, body.consent_url);
    });
    await guide.type('## A chain to type', '## The request').finally(() => cli.close());
    expect(refusals).toEqual([['consent_required', 'consent_missing']]);

    const named = ['AGENT', 'GATEWAY', 'SERVER'].map((name) => guide.variables.get(name)!);
    const tokens = ['AGENT', 'GATEWAY', 'SERVER'].map((name) => guide.variables.get(`${name}_TOKEN`)!);
    const apiClient = await anAgent(app);
    for (const slug of ['gateway', notes.slug, 'api']) await letActAs(app, { ...notes, slug }, apiClient);
    const names = new Map(['<agent>', '<gateway>', '<server>'].map((name, hop) => [name, named[hop]!]));
    const text = guide.text.replace(/<(?:person|agent|gateway|server)>/g, (name) => names.get(name) ?? user.id);
    const shown = [...text.slice(text.indexOf('## The chain, decoded')).matchAll(/```json\n([^`]*)```/g)].map(
      ([, json]) => JSON.parse(json!) as Record<string, unknown>,
    );
    const decoded = tokens.map(claimsOf);
    const everyTokenHas = ['iss', 'iat', 'exp', 'jti'];
    const told = decoded.map((claims) =>
      Object.fromEntries(Object.entries(claims).filter(([name]) => !everyTokenHas.includes(name))),
    );
    expect(told).toEqual(shown);
    for (const [hop, token] of tokens.entries()) {
      const { active, token_type: _, nbf: __, ...answer } = await introspect(app, token, apiClient);
      expect([active, answer]).toEqual([true, decoded[hop]]);
    }
    for (const [hop, claims] of decoded.entries()) {
      if (hop === 0) continue;
      const [row] = await app.sql<{ actor_id: string; client_id: string; detail: Record<string, unknown> }>(
        `select actor_id, client_id, detail from audit_events where action = 'token.exchanged' and detail->>'jti' = $1`,
        [claims.jti],
      );
      const { sub, scopes, act, agent_chain, via_link: via } = row!.detail;
      expect({ sub, client_id: row!.client_id, scope: (scopes as string[]).join(' '), act, agent_chain, via }).toEqual({
        ...shown[hop],
        aud: undefined,
        via: shown[hop]!['via'],
      });
    }
  });

  const ends: [what: string, end: (chain: Chain) => Promise<unknown>, alive: boolean[], isRevoked?: false][] = [
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
      false,
    ],
    [
      'the gateway is suspended',
      ({ gateway }) => app.admin('PATCH', `/admin/clients/${gateway.id}/suspend`),
      [true, false, false],
      false,
    ],
    [
      'the agent is suspended',
      ({ at }) => app.admin('PATCH', `/admin/clients/${at.client.id}/suspend`),
      [false, false, false],
      false,
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

  it.each(ends)('ends below the point where %s', async (_, end, alive, isRevoked) => {
    const chain = await aChain();
    expect(await activity(chain)).toEqual([true, true, true]);
    await end(chain);
    expect(await activity(chain)).toEqual(alive);
    const told = (await revokedAt(chain)).map((time) => time === undefined);
    expect(told).toEqual(isRevoked === false ? [true, true, true] : alive);
    const again = await chain.last();
    expect([again.status, again.body.error]).toEqual([400, alive[1] ? 'consent_required' : 'invalid_grant']);
  });

  it('ends where the key of its first token is revoked, although its own key lives', async () => {
    const chain = await aChain();
    const { kid } = JSON.parse(Buffer.from(chain.tokens[0].split('.')[0]!, 'base64url').toString()) as { kid: string };
    expect((await app.admin('POST', '/admin/keys/rotate')).status).toBe(200);
    const { body } = await chain.last();
    expect(await introspect(app, body.access_token, chain.apiClient)).toMatchObject({ active: true });
    expect((await app.admin('DELETE', `/admin/keys/${kid}`)).status).toBe(204);
    expect(await introspect(app, body.access_token, chain.apiClient)).toEqual({ active: false });
    expect((await audited(app, 'token.introspect_denied'))[0]).toMatchObject({ reason: 'key_revoked' });
    const { jti } = claimsOf(body.access_token);
    expect((await app.admin('GET', `/admin/issuances/${jti}`)).body.revoked_at).toEqual(expect.any(String));
    expect((await chain.last()).body.error).toBe('invalid_grant');
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
