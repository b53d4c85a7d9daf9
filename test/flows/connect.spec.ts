import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aWorld, credentialOf, startBrokerApp, type World } from '../brokering.js';
import { aResource, audited } from '../builders.js';
import {
  aConnecting,
  aLink,
  connected,
  connectionsOf,
  consentsOf,
  openAs,
  press,
  toCallback,
  type Connecting,
} from '../connecting.js';
import { HttpBrowser } from '../http-browser.js';
import { recorded } from '../recorded.js';

let world: World;
let app: TestApp;
let at: Connecting;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world, { CONNECT_ALLOWED_RETURN_URLS: 'https://app.example/back?x=1' });
});
afterAll(async () => {
  await app.close();
  await world.end();
});
beforeEach(async () => {
  world.proxy.always();
  await world.upstream.set({ refreshTokens: true, rotate: true });
  at = await aConnecting(app, world);
});

describe('the connect page', () => {
  it('[U3] sends whoever is not signed in to do so, and comes back', async () => {
    const browser = new HttpBrowser();
    const visit = await browser.get(aLink(at));
    expect(visit.location).toMatch(/\/login\?request=connect\./);
    const { page } = await openAs(app, at.user, aLink(at), browser);
    expect([page.status, new URL(page.url).pathname]).toEqual([200, `/connect/${at.provider.slug}`]);
  });

  it('says what, for whom and where to', async () => {
    const { page } = await openAs(app, at.user, aLink(at, { scopes: ['read', 'write'] }));
    for (const text of [
      'Notes server',
      'Note Agent',
      'Acme',
      at.source.uri,
      'Read your repositories',
      'Change your repositories',
      '<code>repo:write</code>',
      new URL(world.upstream.origin).host,
      at.user.email,
    ])
      expect(page.html).toContain(text);
    expect(page.html).toContain('gives all or nothing');
    expect(page.response.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  it('does not warn of all or nothing where upstream can narrow', async () => {
    const narrowing = await aConnecting(app, world, { config: { downscope: true } });
    const { page } = await openAs(app, narrowing.user, aLink(narrowing, { scopes: ['read', 'write'] }));
    expect(page.html).not.toContain('all or nothing');
  });
});

describe('connecting an account', () => {
  it('[U2] goes by the provider’s own redirect URI, with PKCE, and stores what was granted', async () => {
    const { page, browser } = await openAs(app, at.user, aLink(at));
    const leaving = await press(browser, page);
    const to = new URL(leaving.location ?? '');
    expect([leaving.status, to.origin]).toEqual([303, world.upstream.origin]);
    expect(Object.fromEntries(to.searchParams)).toMatchObject({
      redirect_uri: `${app.issuer}/connect/${at.provider.slug}/callback`,
      code_challenge_method: 'S256',
      scope: 'repo:read',
      state: expect.stringMatching(/^ap_cf_/),
    });
    const { done } = await connected(at, { browser });
    expect([done.status, done.html]).toEqual([200, expect.stringContaining('You can return to your application.')]);
    const [connection, ...more] = await connectionsOf(at);
    expect(more).toEqual([]);
    expect(connection).toMatchObject({
      account: 'ada',
      scopes: ['repo:read'],
      status: 'active',
      version: 1,
      sealed: true,
    });
    expect(await consentsOf(at)).toMatchObject([{ source_resource_id: at.source.id, scopes: ['repo:read'] }]);
    expect((await credentialOf(app, connection.id)).refreshToken).toBeTruthy();
    expect((await audited(app, 'broker_grant.created'))[0]).toMatchObject({
      actor_id: at.user.id,
      client_id: at.client.id,
      detail: { provider: at.provider.slug, grant_id: connection.id, version: 1, scopes: ['repo:read'] },
    });
    expect((await audited(app, 'connection_consent.granted'))[0]).toMatchObject({
      actor_id: at.user.id,
      client_id: at.client.id,
      detail: { provider: at.provider.id, resource: at.source.id, scopes: ['repo:read'] },
    });
  });

  it('stores nothing but a hash of the state and a sealed verifier while the person is away', async () => {
    const { callback } = await toCallback(at);
    const state = new URL(callback).searchParams.get('state') ?? '';
    const [flow] = await app.sql('select * from connect_flows where user_id = $1', [at.user.id]);
    const row = JSON.stringify(flow);
    expect(row).not.toContain(state.slice(6));
    expect(flow).toMatchObject({ sealed_verifier: expect.stringMatching(/^v1\./), spent_at: null });
  });

  it('asks upstream for what is connected already and for what is new, so that neither is lost', async () => {
    await connected(at);
    const { page, browser } = await openAs(app, at.user, aLink(at, { scopes: ['write'] }));
    expect(page.html).toContain('is connected already');
    const leaving = await press(browser, page);
    expect(new URL(leaving.location ?? '').searchParams.get('scope')).toBe('repo:read repo:write');
    const { done } = await connected(at, { browser, url: aLink(at, { scopes: ['write'] }) });
    expect(done.status).toBe(200);
    expect(await connectionsOf(at)).toMatchObject([
      { scopes: ['repo:read', 'repo:write'], version: 2, status: 'active' },
    ]);
    expect(await consentsOf(at)).toMatchObject([{ scopes: ['repo:read', 'repo:write'] }]);
  });

  it('lets a second MCP server have it after a page, without going upstream', async () => {
    const { browser } = await connected(at);
    const asked = await world.upstream.requests();
    const second = { ...at, source: await aResource(app, { display_name: 'Other server' }) };
    const { page } = await openAs(app, at.user, aLink(second), browser);
    expect(page.html).not.toContain('You will be sent to');
    const done = await press(browser, page);
    expect([done.status, done.html]).toEqual([200, expect.stringContaining('may now use your')]);
    expect((await consentsOf(at)).map((consent) => consent.source_resource_id)).toEqual([
      at.source.id,
      second.source.id,
    ]);
    expect(await connectionsOf(at)).toMatchObject([{ version: 1 }]);
    expect(await world.upstream.requests()).toEqual(asked);
  });

  it('gives the MCP server only what was left ticked, and takes back what is unticked later', async () => {
    const url = aLink(at, { scopes: ['read', 'write'] });
    const { browser, page } = await openAs(app, at.user, url);
    const { 'scope:write': _, ...readOnly } = page.form('decision');
    const leaving = await browser.post(page.url.split('?')[0] ?? '', { ...readOnly, decision: 'allow' });
    expect(new URL(leaving.location ?? '').searchParams.get('scope')).toBe('repo:read');
    await connected(at, { browser, url });
    expect(await consentsOf(at)).toMatchObject([{ scopes: ['repo:read', 'repo:write'] }]);
    const again = await openAs(app, at.user, url, browser);
    expect(again.page.html).toContain('already allowed');
    const { 'scope:read': __, ...writeOnly } = again.page.form('decision');
    await browser.post(page.url.split('?')[0] ?? '', { ...writeOnly, decision: 'allow' });
    expect(await consentsOf(at)).toMatchObject([{ scopes: ['repo:write'] }]);
    expect(await connectionsOf(at)).toMatchObject([{ scopes: ['repo:read', 'repo:write'] }]);
  });

  it('stores what upstream granted when that is less, and says so', async () => {
    const { done } = await connected(at, { url: aLink(at, { scopes: ['read', 'write'] }), without: ['repo:write'] });
    expect(done.html).toContain('gave less than was asked for');
    expect(done.html).toContain('<code>repo:write</code>');
    expect(await connectionsOf(at)).toMatchObject([{ scopes: ['repo:read'] }]);
    expect(await consentsOf(at)).toMatchObject([{ scopes: ['repo:read'] }]);
  });

  it('gives the MCP server nothing when upstream granted nothing that was asked for', async () => {
    world.proxy.next({ kind: 'change', members: { scope: 'calendar:read' } });
    const { done } = await connected(at);
    expect(done.html).toContain('gave less than was asked for');
    expect(await connectionsOf(at)).toMatchObject([{ scopes: ['calendar:read'] }]);
    expect(await consentsOf(at)).toEqual([]);
  });

  it('takes No for an answer, here and upstream', async () => {
    const { browser, page } = await openAs(app, at.user, aLink(at));
    const denied = await press(browser, page, { decision: 'deny' });
    expect([denied.status, denied.html]).toEqual([200, expect.stringContaining('Not connected')]);
    const { done } = await connected(at, { deny: true, browser });
    expect([done.status, done.html]).toEqual([200, expect.stringContaining('Not connected')]);
    expect(done.html).not.toContain('thanks');
    expect(await connectionsOf(at)).toEqual([]);
    expect((await audited(app, 'connect.denied')).slice(0, 2)).toMatchObject([
      { reason: 'upstream_denied', actor_id: at.user.id, client_id: at.client.id },
      { reason: 'user_denied', actor_id: at.user.id, client_id: at.client.id },
    ]);
  });

  it('sends the person on to the return URL, byte for byte, if it is allowed', async () => {
    const returnUrl = 'https://app.example/back?x=1';
    const url = `${aLink(at)}&${new URLSearchParams({ return_url: returnUrl })}`;
    const { browser, done } = await connected(at, { url });
    expect([done.status, done.response.headers.get('location')]).toEqual([303, returnUrl]);
    const second = { ...at, source: await aResource(app) };
    const { page } = await openAs(
      app,
      at.user,
      `${aLink(second)}&return_url=${encodeURIComponent(returnUrl)}`,
      browser,
    );
    expect((await press(browser, page)).response.headers.get('location')).toBe(returnUrl);
  });

  it('lets the resource’s own policy allow a return URL', async () => {
    const url = 'http://localhost:7777/done';
    await app.admin('POST', `/admin/resources/${at.target.slug}/policy/connect/allowed-return-urls`, { url });
    const { done } = await connected(at, { url: `${aLink(at)}&return_url=${encodeURIComponent(url)}` });
    expect(done.response.headers.get('location')).toBe(url);
  });

  it('takes another account in place of the one before, and ends what servers had of that', async () => {
    await connected(at);
    const second = { ...at, source: await aResource(app) };
    await connected(second, { login: 'grace', url: aLink(second, { scopes: ['write'] }) });
    const [former, current] = await connectionsOf(at);
    expect(former).toMatchObject({ account: 'ada', status: 'disconnected', status_reason: 'account_replaced' });
    expect(current).toMatchObject({ account: 'grace', status: 'active', version: 1 });
    expect(await consentsOf(at)).toMatchObject([{ source_resource_id: second.source.id }]);
  });

  it('takes what servers had of an account when upstream does not say any more whose it is', async () => {
    const { browser } = await connected(at);
    const second = { ...at, source: await aResource(app) };
    const { callback } = await toCallback(second, {
      browser,
      login: 'grace',
      url: aLink(second, { scopes: ['write'] }),
    });
    world.proxy.next({ kind: 'change', members: {} }, { kind: 'answer', status: 503 });
    expect((await browser.get(callback)).status).toBe(303);
    expect(await connectionsOf(at)).toMatchObject([{ account: '', status: 'active', version: 2 }]);
    expect(await consentsOf(at)).toMatchObject([{ source_resource_id: second.source.id }]);
    // Named again, it is the same connection, and may be another account.
    await app.sql(`update connections set status = 'reconnect_required' where user_id = $1`, [at.user.id]);
    await connected(at, { browser, login: 'grace', url: aLink(at, { scopes: ['read', 'write'] }) });
    expect(await connectionsOf(at)).toMatchObject([{ account: 'grace', version: 3 }]);
    expect(await consentsOf(at)).toMatchObject([{ source_resource_id: at.source.id }]);
  });

  it('makes a connection work again that upstream had refused', async () => {
    const { browser } = await connected(at);
    await app.sql(
      `update connections set status = 'reconnect_required', status_reason = 'upstream_refused', failing_since = now() where user_id = $1`,
      [at.user.id],
    );
    const { page } = await openAs(app, at.user, aLink(at), browser);
    expect(page.html).toContain('no longer accepts the connection');
    await connected(at, { browser });
    expect(await connectionsOf(at)).toMatchObject([{ status: 'active', status_reason: null, version: 2 }]);
  });
});

describe('a person who comes to the connect page by themselves', () => {
  const own = (more: Record<string, string> = {}): string =>
    `${app.issuer}/connect/${at.provider.slug}?${new URLSearchParams({ resource: at.target.uri, ...more })}`;

  it('connects an account, and no MCP server is given anything', async () => {
    const { done } = await connected(at, { url: own() });
    expect([done.status, done.html]).toEqual([200, expect.stringContaining('account is connected')]);
    expect(await connectionsOf(at)).toMatchObject([{ scopes: ['repo:read', 'repo:write'] }]);
    expect(await consentsOf(at)).toEqual([]);
  });

  it('need not name the resource when the provider has one only', async () => {
    const { page } = await openAs(app, at.user, `${app.issuer}/connect/${at.provider.slug}`);
    expect(page.html).toContain('Connect your');
  });

  it.each([
    ['an unknown provider', () => `${app.issuer}/connect/nowhere`, 'provider_unknown'],
    ['a Mint resource', () => own({ resource: at.source.uri }), 'resource_not_of_provider'],
    ['an unknown resource', () => own({ resource: 'https://nowhere.example' }), 'resource_not_of_provider'],
  ])('is refused for %s', async (_, url, reason) => {
    const { page } = await openAs(app, at.user, url());
    expect([page.status, page.location]).toEqual([400, undefined]);
    expect((await audited(app, 'connect.denied'))[0]).toMatchObject({ reason });
  });
});

describe('an upstream that does not do its part', () => {
  it.each([
    ['does not answer', { kind: 'drop_after' } as const, 503, 'upstream_unavailable'],
    ['limits requests', { kind: 'answer', status: 429 } as const, 503, 'upstream_unavailable'],
    [
      'refuses the code',
      { kind: 'answer', status: 400, body: '{"error":"invalid_grant"}' } as const,
      403,
      'upstream_code_refused',
    ],
    [
      'refuses this server',
      { kind: 'answer', status: 401, body: '{"error":"invalid_client"}' } as const,
      503,
      'upstream_misconfigured',
    ],
  ])('%s: a page, and nothing is stored', async (_, behaviour, status, reason) => {
    const { browser, callback } = await toCallback(at);
    world.proxy.next(behaviour);
    const page = await browser.get(callback);
    expect([page.status, page.location]).toEqual([status, undefined]);
    expect(await recorded(app, page.response)).toMatchObject([{ action: 'connect.denied', reason }]);
    expect(await connectionsOf(at)).toEqual([]);
  });

  it('gives no refresh token: the flow fails with a page that says what the operator has to set', async () => {
    await world.upstream.set({ refreshTokens: false });
    const { done } = await connected(at);
    expect([done.status, done.html]).toEqual([503, expect.stringContaining(`has to set up ${at.provider.slug}`)]);
    expect(done.html).toContain('#connect-misconfigured');
    expect(await recorded(app, done.response)).toMatchObject([
      { reason: 'refresh_token_missing', actor_id: at.user.id },
    ]);
    expect(await connectionsOf(at)).toEqual([]);
  });

  it('gives an access token alone, where the provider may: that is the credential, until it ends', async () => {
    const lasting = await aConnecting(app, world, { config: { refresh_token: 'optional' } });
    await world.upstream.set({ refreshTokens: false });
    await connected(lasting);
    const [connection] = await connectionsOf(lasting);
    expect(await credentialOf(app, connection.id)).toEqual({
      accessToken: expect.any(String),
      expiresAt: expect.any(String),
    });
  });
});
