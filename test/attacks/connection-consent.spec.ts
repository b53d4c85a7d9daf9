import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aVending, aWorld, startBrokerApp, type World } from '../brokering.js';
import { aResource } from '../builders.js';
import {
  aConnecting,
  aLink,
  connected,
  connectionsOf,
  consentsOf,
  openAs,
  press,
  type Connecting,
} from '../connecting.js';
import { anAgent, exchange, letActAs, started } from '../exchanges.js';
import { whileHeld } from '../held-lock.js';
import { recorded } from '../recorded.js';

let world: World;
let app: TestApp;
let at: Connecting;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
afterAll(async () => {
  await app.close();
  await world.end();
});
beforeEach(async () => {
  at = await aConnecting(app, world);
});

describe('a connection consent', () => {
  it('of one MCP server gives another no token, with the same person, account and agent', async () => {
    const first = await aVending(app, world);
    expect((await first.ask()).status).toBe(200);
    const refreshes = (await world.upstream.requests()).refresh_token;
    const source = await aResource(app, { scopes: [{ name: 'repo:read' }, { name: 'repo:write' }] });
    const server = await anAgent(app);
    await letActAs(app, source, server);
    const { client, user } = first.at;
    const second = await started(app, { client, user, resource: source, scope: 'repo:read' });
    const refused = await exchange(app, server, second.token, { resource: first.target.uri, scope: 'repo:read' });
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({
      error: 'consent_required',
      consent_url: expect.stringContaining('/connect/'),
    });
    expect(JSON.stringify(refused.body)).not.toContain('access_token');
    expect((await world.upstream.requests()).refresh_token).toBe(refreshes);
  });

  it('of one MCP server is none of another', async () => {
    const { browser } = await connected(at);
    const other = { ...at, source: await aResource(app, { display_name: 'Other server' }) };
    const { page } = await openAs(app, at.user, aLink(other), browser);
    expect(page.html).not.toContain('already allowed');
    await press(browser, page, { decision: 'deny' });
    expect((await consentsOf(at)).map((consent) => consent.source_resource_id)).toEqual([at.source.id]);
  });

  it('is not given on a connection that ended while the page was open', async () => {
    const { browser } = await connected(at);
    const other = { ...at, source: await aResource(app) };
    const { page } = await openAs(app, at.user, aLink(other), browser);
    const [connection] = await connectionsOf(at);
    await app.admin('DELETE', `/admin/grants/broker/${connection.id}`);
    const onward = await press(browser, page);
    expect(onward.location).toContain(world.upstream.origin);
    expect(await consentsOf(at)).toEqual([]);
  });

  it('is not given by a person who is disabled while it is stored', async () => {
    const { browser } = await connected(at);
    const other = { ...at, source: await aResource(app) };
    const { page } = await openAs(app, at.user, aLink(other), browser);
    const before = await consentsOf(at);
    const late = await whileHeld(
      app,
      `update users set status = 'disabled', version = version + 1 where id = '${at.user.id}'`,
      () => press(browser, page),
      async () => undefined,
    );
    expect(late.status).toBe(400);
    expect(await recorded(app, late.response)).toMatchObject([{ reason: 'connect_changed_meanwhile' }]);
    expect(await consentsOf(at)).toEqual(before);
  });
});

describe('an account of which upstream does not say whose it is', () => {
  /** An MCP server that the agent of `at` calls for the person. */
  async function aServer(label: string): Promise<Connecting & { ask(): ReturnType<typeof exchange> }> {
    const source = await aResource(app, { display_name: label, scopes: [{ name: 'read' }, { name: 'write' }] });
    const server = await anAgent(app);
    await letActAs(app, source, server);
    const { client, user, target } = at;
    const { token } = await started(app, { client, user, resource: source, scope: 'read write' });
    return { ...at, source, ask: () => exchange(app, server, token, { resource: target.uri }) };
  }
  const account = async (answer: Awaited<ReturnType<typeof exchange>>): Promise<unknown> =>
    (await world.upstream.me(answer.body.access_token)).login;

  beforeEach(async () => {
    at = await aConnecting(app, world, { config: { account_url: undefined, account_member: undefined } });
  });

  it('is another one when it is connected anew: what servers had of the former is over, and given back without upstream', async () => {
    const [first, second] = [await aServer('First server'), await aServer('Second server')];
    const { browser } = await connected(first, { login: 'work' });
    expect(await account(await first.ask())).toBe('work');

    await connected(second, { browser, login: 'private', url: aLink(second, { scopes: ['read', 'write'] }) });
    const refused = await first.ask();
    expect([refused.status, refused.body.error, refused.body.cause]).toEqual([
      400,
      'consent_required',
      'consent_missing',
    ]);
    expect(await consentsOf(at)).toMatchObject([{ source_resource_id: second.source.id }]);
    expect(await account(await second.ask())).toBe('private');

    const { page } = await openAs(app, at.user, refused.body.consent_url, browser);
    expect(page.html).not.toContain('You will be sent to');
    expect((await press(browser, page)).html).toContain('may now use your');
    expect((await first.ask()).status).toBe(200);
  });

  it('is another one, too, when the person connects it by themselves', async () => {
    const first = await aServer('First server');
    const { browser } = await connected(first, { login: 'work' });
    const query = new URLSearchParams({ resource: at.target.uri });
    await connected(at, { browser, login: 'private', url: `${app.issuer}/connect/${at.provider.slug}?${query}` });
    expect((await first.ask()).body.error).toBe('consent_required');
    expect(await consentsOf(at)).toEqual([]);
    const [connection] = await connectionsOf(at);
    expect(connection).toMatchObject({ status: 'active', version: 2, upstream_revocation: null });
  });

  it('keeps what the server had that asks for more of it', async () => {
    const first = await aServer('First server');
    const { browser } = await connected(first);
    await connected(first, { browser, url: aLink(first, { scopes: ['write'] }) });
    expect(await consentsOf(at)).toMatchObject([{ scopes: ['repo:read', 'repo:write'] }]);
    expect((await first.ask()).status).toBe(200);
  });
});
