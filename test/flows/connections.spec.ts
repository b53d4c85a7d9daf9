import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aVending, aWorld, credentialOf, startBrokerApp, type World } from '../brokering.js';
import { aResource, audited, aUser } from '../builders.js';
import { CommandLine } from '../command-line.js';
import {
  aConnecting,
  aLink,
  connected,
  connectionsOf,
  consentsOf,
  openAs,
  press as pressConnect,
  signedIn,
  type Connecting,
} from '../connecting.js';
import { anAgent } from '../exchanges.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let world: World;
let app: TestApp;
let cli: CommandLine;
let at: Connecting;
let browser: HttpBrowser;
let connection: any;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app.close();
  await world.end();
});
beforeEach(async () => {
  at = await aConnecting(app, world);
  ({ browser } = await connected(at, { url: aLink(at, { scopes: ['read', 'write'] }) }));
  [connection] = await connectionsOf(at);
});

const url = (path: string): string => `${app.issuer}${path}`;
const json = async (by = browser) => {
  const visit = await by.get(url('/connections'), { accept: 'application/json' });
  return { status: visit.status, body: JSON.parse(visit.html) };
};
const remove = (path: string, headers: Record<string, string> = {}, by = browser): Promise<Response> =>
  fetch(url(path), {
    method: 'DELETE',
    headers: { cookie: [...by.cookies].map(([name, value]) => `${name}=${value}`).join('; '), ...headers },
  });

/** Presses the button of the form on `page` that posts to `action`. */
function press(page: Visit, action: string, by = browser, changed: Record<string, string> = {}): Promise<Visit> {
  const form = [...page.html.matchAll(/<form[\s\S]*?<\/form>/g)]
    .map(([html]) => html)
    .find((html) => html.includes(`action="${action}"`));
  if (form === undefined) throw new Error(`no form for ${action}`);
  const hidden = [...form.matchAll(/type="hidden" name="([^"]*)" value="([^"]*)"/g)].map(
    ([, name = '', value = '']) => [name, value],
  );
  return by.post(url(action), { ...Object.fromEntries(hidden), ...changed });
}

async function expectOver(reason = 'disconnected_by_user'): Promise<void> {
  const [row] = await connectionsOf(at);
  expect(row).toMatchObject({ id: connection.id, status: 'disconnected', status_reason: reason, version: 2 });
  expect(['pending', 'done']).toContain(row.upstream_revocation);
  expect(await consentsOf(at)).toEqual([]);
}

async function expectUntouched(): Promise<void> {
  expect(await connectionsOf(at)).toEqual([connection]);
  expect(await consentsOf(at)).toHaveLength(1);
}

describe('/connections', () => {
  it('is JSON to programs: what is connected, to which scopes, for which MCP servers, since when', async () => {
    const [consent] = await consentsOf(at);
    expect(await json()).toEqual({
      status: 200,
      body: {
        connections: [
          {
            id: connection.id,
            provider: at.provider.slug,
            display_name: 'Acme',
            account: 'ada',
            status: 'active',
            scopes: ['repo:read', 'repo:write'],
            created_at: expect.stringMatching(/^\d{4}-/),
            consents: [
              {
                id: consent.id,
                resource: at.source.uri,
                display_name: 'Notes server',
                scopes: ['repo:read', 'repo:write'],
                allowed_scopes: ['repo:read', 'repo:write'],
                created_at: expect.stringMatching(/^\d{4}-/),
              },
            ],
          },
        ],
      },
    });
  });

  it.each([
    ['cannot narrow', false, ['repo:read', 'repo:write']],
    ['narrows', true, ['repo:read']],
  ])('names what a server’s token is good for where upstream %s', async (_, downscope, real) => {
    const own = await aConnecting(app, world, { config: { downscope } });
    ({ browser } = await connected(own, { url: aLink(own, { scopes: ['read', 'write'] }) }));
    const second = { ...own, source: await aResource(app, { display_name: 'Other server' }) };
    await openAs(app, own.user, aLink(second), browser).then(({ page }) => pressConnect(browser, page));
    expect((await json()).body.connections[0].consents[1]).toMatchObject({
      display_name: 'Other server',
      scopes: real,
      allowed_scopes: ['repo:read'],
    });
    for (const path of ['/connections', '/account']) {
      const { html } = await browser.get(url(path));
      const server = html.slice(html.indexOf('Other server</bdi>')).split('</li>')[0]!;
      expect(server.includes('<code>repo:write</code>')).toBe(!downscope);
      expect(server.includes('gives all or nothing')).toBe(!downscope);
    }
  });

  it('tells which agent used it last, and through which MCP server, to its owner and to the operator', async () => {
    const vending = await aVending(app, world, { server: await anAgent(app, { client_name: 'Notes server client' }) });
    const { client, user } = vending.at;
    await app.admin('PATCH', `/admin/clients/${client.id}`, { client_name: 'Travel agent', agent_confirmed: true });
    expect((await vending.ask()).status).toBe(200);
    browser = await signedIn(app, user);
    const used = {
      last_used_at: app.clock.now().toISOString(),
      last_used_agent: 'Travel agent',
      last_used_agent_id: client.id,
      last_used_server: 'Notes server client',
      last_used_client_id: vending.server.id,
    };
    expect((await json()).body.connections[0]).toMatchObject(used);
    const { body } = await app.admin('GET', `/admin/connections?user_id=${user.id}`);
    expect(body.connections[0]).toMatchObject({ ...used, last_used_origin_client_id: client.id });
    for (const path of ['/connections', '/account'])
      expect((await browser.get(url(path))).html.replace(/<[^>]*>/g, '')).toContain(
        'by Travel agent through Notes server client',
      );
    expect((await cli.run(['connection', 'list', '--user', user.id])).stdout).toContain('Travel agent');
  });

  it('is a page to people, who are sent to sign in; programs are told to', async () => {
    const stranger = new HttpBrowser();
    expect((await stranger.get(url('/connections'))).location).toBe(url('/login'));
    expect(await json(stranger)).toMatchObject({ status: 401, body: { error: 'access_denied' } });
    const page = await browser.get(url('/connections'));
    expect(page.html).toContain('Notes server');
    expect(page.html).toContain('<code>repo:write</code>');
    expect(page.response.headers.get('vary')).toMatch(/accept/i);
  });

  it('shows nobody the connections of another', async () => {
    const other = await signedIn(app, await aUser(app));
    expect((await json(other)).body).toEqual({ connections: [] });
    expect((await other.get(url('/account'))).html).toContain('No account is connected.');
  });

  it('ends a connection on DELETE', async () => {
    const answer = await remove(`/connections/${at.provider.slug}`);
    expect([answer.status, await answer.text()]).toEqual([204, '']);
    await expectOver();
    expect((await audited(app, 'broker_grant.revoked'))[0]).toMatchObject({
      actor_id: at.user.id,
      detail: { provider: at.provider.id, grant_id: connection.id, version: 2 },
    });
    expect((await audited(app, 'connection_consent.withdrawn'))[0]).toMatchObject({
      actor_id: at.user.id,
      detail: { provider: at.provider.id, resource: at.source.id },
    });
    expect((await remove(`/connections/${at.provider.slug}`)).status).toBe(404);
    expect((await remove('/connections/nowhere')).status).toBe(404);
  });

  it('takes no DELETE from another site, nor from whoever is not signed in', async () => {
    const path = `/connections/${at.provider.slug}`;
    expect((await remove(path, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await remove(path, { 'sec-fetch-site': 'same-site' })).status).toBe(403);
    expect((await remove(path, {}, new HttpBrowser())).status).toBe(401);
    expect((await remove(path, {}, await signedIn(app, await aUser(app)))).status).toBe(404);
    await expectUntouched();
  });
});

describe.each(['/connections', '/account'])('the forms on %s', (path) => {
  const below = path === '/connections' ? '/connections' : '/account/connections';

  it('disconnect', async () => {
    const visit = await press(await browser.get(url(path)), `${below}/disconnect`);
    expect(visit.location).toBe(url(`${path}?done=disconnected`));
    await expectOver();
    expect((await browser.get(visit.location!)).html).toContain('The account was disconnected.');
  });

  it('withdraw what one MCP server has, and leave the others and the connection', async () => {
    const second = { ...at, source: await aResource(app, { display_name: 'Other server' }) };
    await connected(second, { browser, url: aLink(second) }).catch(() => undefined);
    const page = await browser.get(url(path));
    await press(page, `${below}/withdraw`);
    expect((await consentsOf(at)).map((consent) => consent.source_resource_id)).toEqual([second.source.id]);
    expect((await connectionsOf(at))[0]).toMatchObject({ status: 'active' });
  });

  it('need their token, and end nothing of another person', async () => {
    const page = await browser.get(url(path));
    for (const action of [`${below}/disconnect`, `${below}/withdraw`]) {
      expect((await press(page, action, browser, { csrf: 'A'.repeat(43) })).status).toBe(403);
      expect((await press(page, action, new HttpBrowser())).location).toBe(url('/login'));
    }
    const other = { ...at, user: await aUser(app) };
    const theirs = await connected(other, { url: `${app.issuer}/connect/${at.provider.slug}` });
    const [consent] = await consentsOf(at);
    const stranger = await theirs.browser.get(url(path));
    const csrf = /name="csrf" value="([^"]*)"/.exec(
      stranger.html.slice(stranger.html.indexOf('Connected accounts</h2>')),
    )![1]!;
    const posted = await theirs.browser.post(url(`${below}/withdraw`), { csrf, consent: consent.id });
    expect(posted.status).toBe(303);
    await expectUntouched();
  });
});

const HEALTH = [
  'id',
  'user_id',
  'broker_provider_id',
  'provider',
  'account',
  'scopes_granted',
  'version',
  'status',
  'status_reason',
  'created_at',
  'updated_at',
  'revoked_at',
  'last_used_at',
  'last_used_client_id',
  'last_used_server',
  'last_used_origin_client_id',
  'last_used_agent',
  'last_used_agent_id',
  'last_refreshed_at',
  'failing_since',
  'last_failure',
  'retry_at',
  'upstream_revocation',
];

describe('the operator', () => {
  it('sees connections and their health, by person, provider and status', async () => {
    await app.sql(
      `update connections set status = 'reconnect_required', status_reason = 'upstream_refused', failing_since = $2, last_failure = 'timeout',
         retry_at = $2, last_refreshed_at = $2 where id = $1`,
      [connection.id, app.clock.now()],
    );
    const query = { user_id: at.user.id, provider: at.provider.slug, status: 'reconnect_required' };
    const { status, body } = await app.admin('GET', `/admin/connections?${new URLSearchParams(query)}`);
    expect(status).toBe(200);
    expect(body.connections).toMatchObject([
      {
        id: connection.id,
        broker_provider_id: at.provider.id,
        provider: at.provider.slug,
        status: 'reconnect_required',
        status_reason: 'upstream_refused',
        failing_since: app.clock.now().toISOString(),
        last_failure: 'timeout',
        retry_at: app.clock.now().toISOString(),
        last_refreshed_at: app.clock.now().toISOString(),
      },
    ]);
    for (const other of ['status=active', 'provider=nowhere']) {
      const none = await app.admin('GET', `/admin/connections?user_id=${at.user.id}&${other}`);
      expect(none.body.connections).toEqual([]);
    }
    for (const wrong of ['status=broken', 'user_id=me', 'secret=1'])
      expect((await app.admin('GET', `/admin/connections?${wrong}`)).status).toBe(400);
  });

  it('reads them in pages', async () => {
    const first = await app.admin('GET', '/admin/connections?limit=1');
    const next = await app.admin('GET', `/admin/connections?limit=1&cursor=${first.body.next_cursor}`);
    expect(first.body.connections[0].id > next.body.connections[0].id).toBe(true);
  });

  it('ends one, and its person sees it', async () => {
    expect((await app.admin('DELETE', `/admin/grants/broker/${connection.id}`)).status).toBe(204);
    await expectOver('revoked_by_operator');
    expect((await json()).body.connections).toEqual([]);
    expect((await audited(app, 'broker_grant.revoked_admin'))[0]).toMatchObject({
      actor_id: null,
      detail: { id: connection.id, user_id: at.user.id, broker_provider_id: at.provider.id },
    });
    for (const gone of [connection.id, at.user.id, 'nonsense'])
      expect((await app.admin('DELETE', `/admin/grants/broker/${gone}`)).status).toBe(404);
    const { body } = await app.admin('GET', `/admin/users/${at.user.id}/grants`);
    expect(body.broker_grants).toMatchObject([
      { id: connection.id, status: 'disconnected', revoked_at: expect.any(String) },
    ]);
  });

  it('counts them', async () => {
    const count = async (): Promise<number> => (await app.admin('GET', '/admin/stats')).body.connections;
    const before = await count();
    await app.admin('DELETE', `/admin/grants/broker/${connection.id}`);
    expect(await count()).toBe(before - 1);
  });

  it('does the same from the command line', async () => {
    const { connections } = await cli.json('connection', 'list', '--user', at.user.id, '--status', 'active');
    expect(connections).toMatchObject([{ id: connection.id, account: 'ada' }]);
    expect((await cli.run(['connection', 'list', '--provider', at.provider.slug])).stdout).toContain(connection.id);
    expect(await cli.json('grant', 'revoke-broker', '--id', connection.id)).toEqual({ revoked: connection.id });
    await expectOver('revoked_by_operator');
    expect((await cli.run(['grant', 'revoke-broker', '--id', connection.id])).code).toBe(1);
  });

  it('is shown no credential: answers hold these members and none of the secrets', async () => {
    await app.sql(`update connections set sealed_access_token = 'v1.planted.access' where id = $1`, [connection.id]);
    const { refreshToken } = await credentialOf(app, connection.id);
    const [sealed] = await app.sql<{ sealed_credential: string }>(
      'select sealed_credential from connections where id = $1',
      [connection.id],
    );
    const answers = await Promise.all([
      app.admin('GET', '/admin/connections?limit=1000'),
      app.admin('GET', `/admin/users/${at.user.id}/grants`),
    ]);
    for (const view of [...answers[0].body.connections, ...answers[1].body.broker_grants])
      expect(Object.keys(view).filter((member) => !HEALTH.includes(member))).toEqual([]);
    const own = await browser.get(url('/connections'), { accept: 'application/json' });
    const account = await browser.get(url('/account'));
    const audit = await app.sql('select detail from audit_events');
    const said = JSON.stringify([answers, own.html, account.html, audit, app.logged]);
    expect(said).toContain(connection.id);
    for (const secret of [refreshToken!, sealed!.sealed_credential, 'planted']) expect(said).not.toContain(secret);
  });
});
