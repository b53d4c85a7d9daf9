import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aWorld, startBrokerApp, type World } from '../brokering.js';
import { aUser, signIn, type UserFixture } from '../builders.js';
import {
  aConnecting,
  aConnectProvider,
  aLink,
  connectionsOf,
  consentsOf,
  openAs,
  press,
  signedIn,
  toCallback,
  type Connecting,
} from '../connecting.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { recorded } from '../recorded.js';

const ALLOWED = 'https://app.example/back';

let world: World;
let app: TestApp;
let at: Connecting;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world, { CONNECT_ALLOWED_RETURN_URLS: ALLOWED });
});
afterAll(async () => {
  await app.close();
  await world.end();
});
beforeEach(async () => {
  at = await aConnecting(app, world);
  codesRedeemed = (await world.upstream.requests()).authorization_code;
});

let codesRedeemed: number;

/** Refused on a page of ours, with that reason on record; nothing is stored, and upstream has not been asked. */
async function expectRefused(visit: Visit, status: number, reason: string, of = at): Promise<void> {
  expect([visit.status, visit.location]).toEqual([status, undefined]);
  expect(await recorded(app, visit.response)).toMatchObject([{ action: 'connect.denied', reason }]);
  expect(await connectionsOf(of)).toEqual([]);
  expect(await consentsOf(of)).toEqual([]);
  expect((await world.upstream.requests()).authorization_code).toBe(codesRedeemed);
}

/** For what is refused before the flow was begun. */
async function expectNoFlow(userId = at.user.id): Promise<void> {
  expect(await app.sql('select from connect_flows where user_id = $1', [userId])).toEqual([]);
}

describe('[U3] a connect link that somebody else opens', () => {
  let stranger: UserFixture;
  beforeEach(async () => {
    stranger = await aUser(app);
  });

  it('shows them nothing, signed in before or because of it', async () => {
    const before = await signedIn(app, stranger);
    await expectRefused(await before.get(aLink(at)), 403, 'link_of_another_account');
    const { page } = await openAs(app, stranger, aLink(at));
    await expectRefused(page, 403, 'link_of_another_account');
    expect(page.html).not.toContain('Notes server');
    await expectNoFlow(stranger.id);
  });

  it('is not answered by them with the form of the person whom it asks', async () => {
    const { page } = await openAs(app, at.user, aLink(at));
    const posted = await press(await signedIn(app, stranger), page);
    await expectRefused(posted, 403, 'link_of_another_account');
    await expectNoFlow(stranger.id);
  });
});

describe('[U2 U3] a callback', () => {
  it('of another person, to whom the link to the provider was sent, connects nothing to anybody', async () => {
    const { callback } = await toCallback(at, { login: 'victim' });
    const victim = await signedIn(app, await aUser(app));
    await expectRefused(await victim.get(callback), 403, 'session_differs');
  });

  it('that was stolen is worthless to the thief, and to whoever comes after', async () => {
    const { callback, browser } = await toCallback(at);
    const thief = await aUser(app);
    const stolen = await (await signedIn(app, thief)).get(callback);
    await expectRefused(stolen, 403, 'session_differs');
    await expectRefused(await browser.get(callback), 400, 'state_spent');
    expect(await connectionsOf({ ...at, user: thief })).toEqual([]);
  });

  it('in another session of the same person', async () => {
    const { callback } = await toCallback(at);
    await expectRefused(await (await signedIn(app, at.user)).get(callback), 403, 'session_differs');
  });

  it('in a browser where nobody is signed in: it is not sent to sign in, but ends', async () => {
    const { callback } = await toCallback(at);
    await expectRefused(await new HttpBrowser().get(callback), 403, 'session_missing');
  });

  it('after the person signed in again, or somebody else did, in the same browser', async () => {
    for (const next of [at.user, await aUser(app)]) {
      const { callback, browser } = await toCallback(at);
      const login = await browser.get(`${app.issuer}/login?request=x`);
      expect((await signIn(browser, login, next)).status).toBe(303);
      await expectRefused(await browser.get(callback), 403, 'session_differs');
    }
  });

  it('with the state of a flow with another provider', async () => {
    const { callback, browser } = await toCallback(at);
    const other = await aConnectProvider(app, world);
    const crossed = callback.replace(`/connect/${at.provider.slug}/`, `/connect/${other.slug}/`);
    await expectRefused(await browser.get(crossed), 400, 'state_of_another_provider');
    await expectRefused(await browser.get(callback), 400, 'state_spent');
  });

  it('at the redirect URI of a provider that does not exist', async () => {
    const { callback, browser } = await toCallback(at);
    const crossed = callback.replace(`/connect/${at.provider.slug}/`, '/connect/nowhere/');
    await expectRefused(await browser.get(crossed), 400, 'provider_unknown');
  });

  it('with a state that was used', async () => {
    const { callback, browser } = await toCallback(at);
    expect((await browser.get(callback)).status).toBe(303);
    const stored = [await connectionsOf(at), await consentsOf(at)];
    const again = await browser.get(callback);
    expect([again.status, again.location]).toEqual([400, undefined]);
    expect(await recorded(app, again.response)).toMatchObject([{ action: 'connect.denied', reason: 'state_spent' }]);
    expect([await connectionsOf(at), await consentsOf(at)]).toEqual(stored);
    expect((await world.upstream.requests()).authorization_code).toBe(codesRedeemed + 1);
  });

  it('of which two race with one state: exactly one wins, and upstream is asked once', async () => {
    const { callback, browser } = await toCallback(at);
    const id = Buffer.from(new URL(callback).searchParams.get('state')!.slice(6), 'base64url').subarray(0, 16);
    const both = await whileHeld(
      app,
      `select from connect_flows where id = '${id.toString('hex')}' for update`,
      () => Promise.all([browser.get(callback), browser.get(callback)]),
      (untilWaiting) => untilWaiting(2),
    );
    expect(both.map(({ status }) => status).toSorted()).toEqual([303, 400]);
    const lost = both.find(({ status }) => status === 400)!;
    expect(await recorded(app, lost.response)).toMatchObject([{ reason: 'state_spent' }]);
    expect(await connectionsOf(at)).toMatchObject([{ version: 1 }]);
    expect((await world.upstream.requests()).authorization_code).toBe(codesRedeemed + 1);
  });

  it('with a state that expired', async () => {
    const { callback, browser } = await toCallback(at);
    app.clock.advance(10 * 60);
    await expectRefused(await browser.get(callback), 400, 'state_expired');
  });

  it('with a state that was made up, changed, or is missing', async () => {
    const { callback, browser } = await toCallback(at);
    const url = new URL(callback);
    const state = url.searchParams.get('state')!;
    const flipped = state.slice(0, -1) + (state.endsWith('A') ? 'B' : 'A');
    const other = `ap_cf_${Buffer.alloc(48, 7).toString('base64url')}`;
    for (const wrong of [flipped, other, 'x', `${state}A`, '']) {
      url.searchParams.set('state', wrong);
      await expectRefused(await browser.get(url.href), 400, 'state_unknown');
    }
    expect((await browser.get(callback)).status).toBe(303);
  });

  it('[U2] with the issuer of somebody else (mix-up), or without one where it must be there', async () => {
    const { callback, browser } = await toCallback(at);
    const url = new URL(callback);
    url.searchParams.set('iss', 'https://evil.example');
    await expectRefused(await browser.get(url.href), 400, 'issuer_differs');
    const strict = await aConnecting(app, world, { config: { require_iss: true } });
    const back = await toCallback(strict);
    const without = new URL(back.callback);
    without.searchParams.delete('iss');
    await expectRefused(await back.browser.get(without.href), 400, 'issuer_differs', strict);
  });

  it('with an error of which the text is shown to nobody', async () => {
    const { callback, browser } = await toCallback(at);
    const url = new URL(callback);
    url.searchParams.delete('code');
    url.searchParams.set('error', 'server_error<script>');
    url.searchParams.set('error_description', 'call 555 0100');
    const page = await browser.get(url.href);
    expect(page.html).not.toMatch(/script>|555 0100/);
    await expectRefused(page, 403, 'upstream_denied');
  });
});

describe('a connect link', () => {
  const requestOf = (url: string): string => new URL(url).searchParams.get('request') ?? '';
  const at_ = (slug: string, request: string): string =>
    `${app.issuer}/connect/${slug}?${new URLSearchParams({ request })}`;

  it('that was changed, cut or made up, is refused at the page and at the button', async () => {
    const { browser, page } = await openAs(app, at.user, aLink(at));
    const request = requestOf(aLink(at));
    const flipped = (index: number): string =>
      request.slice(0, index) + (request[index] === 'A' ? 'B' : 'A') + request.slice(index + 1);
    const forged = [flipped(9), flipped(40), flipped(request.length - 4), request.slice(0, -8), `${request}AAAA`, '{}'];
    for (const wrong of [...forged, request.slice('connect.'.length), `connect.${request}`]) {
      await expectRefused(await browser.get(at_(at.provider.slug, wrong)), 400, 'connect_link_changed');
      await expectRefused(await press(browser, page, { request: wrong }), 400, 'connect_link_changed');
    }
    await expectNoFlow();
  });

  it('is of no use at the page of another provider', async () => {
    const other = await aConnectProvider(app, world);
    const { page } = await openAs(app, at.user, at_(other.slug, requestOf(aLink(at))));
    await expectRefused(page, 400, 'connect_link_of_another_provider');
    expect(page.html).toContain('This link to connect an account is not one that this server made for this page');
  });

  it('ends after fifteen minutes, a return URL or not, and at the button too', async () => {
    const { browser, page } = await openAs(app, at.user, `${aLink(at)}&return_url=${encodeURIComponent(ALLOWED)}`);
    const url = aLink(at);
    app.clock.advance(15 * 60);
    await expectRefused(await browser.get(url), 400, 'request_expired');
    await expectRefused(await browser.get(page.url), 400, 'request_expired');
    await expectRefused(await press(browser, page), 400, 'request_expired');
    await expectNoFlow();
  });

  it('is no consent link, and a consent link is no connect link', async () => {
    const browser = await signedIn(app, at.user);
    const visit = await browser.get(`${app.issuer}/consent?${new URLSearchParams({ request: requestOf(aLink(at)) })}`);
    expect(visit.status).toBe(403);
    expect(await consentsOf(at)).toEqual([]);
  });

  it('after a sign-in leads to our own pages only', async () => {
    for (const request of ['connect.https://evil.example', 'connect.//evil.example', 'https://evil.example']) {
      const browser = new HttpBrowser();
      const login = await browser.get(`${app.issuer}/login?${new URLSearchParams({ request })}`);
      const onward = await browser.follow(await signIn(browser, login, at.user), app.issuer);
      expect(onward.url.startsWith(`${app.issuer}/`)).toBe(true);
      expect([400, 403]).toContain(onward.status);
    }
  });
});

describe('a return URL', () => {
  it.each([
    'https://evil.example/back',
    'https://app.example/back/',
    'https://app.example/back?x=1',
    'https://app.example/back#x',
    'https://app.example.evil.example/back',
    'https://app.example@evil.example/back',
    'http://app.example/back',
    '//app.example/back',
    '/account',
    'javascript:alert(1)',
  ])('that is not allowed byte for byte is refused before anybody is asked: %s', async (returnUrl) => {
    const return_url = encodeURIComponent(returnUrl);
    const { browser, page } = await openAs(app, at.user, `${aLink(at)}&return_url=${return_url}`);
    await expectRefused(page, 400, 'return_url_not_allowed');
    const own = `${app.issuer}/connect/${at.provider.slug}?resource=${encodeURIComponent(at.target.uri)}`;
    await expectRefused(await browser.get(`${own}&return_url=${return_url}`), 400, 'return_url_not_allowed');
  });

  it('is refused although the operator typed it, where it leaves https', async () => {
    const url = 'http://app.example/plain';
    await app.admin('POST', `/admin/resources/${at.target.slug}/policy/connect/allowed-return-urls`, { url });
    const { page } = await openAs(app, at.user, `${aLink(at)}&return_url=${encodeURIComponent(url)}`);
    await expectRefused(page, 400, 'return_url_not_allowed');
  });

  it('of another resource’s policy is not allowed here', async () => {
    const other = await aConnecting(app, world);
    const url = 'https://other.example/back';
    await app.admin('POST', `/admin/resources/${other.target.slug}/policy/connect/allowed-return-urls`, { url });
    const { page } = await openAs(app, at.user, `${aLink(at)}&return_url=${encodeURIComponent(url)}`);
    await expectRefused(page, 400, 'return_url_not_allowed');
  });
});

describe('the form of the connect page', () => {
  it('is not sent by another site, nor without its token, nor with that of another page', async () => {
    const { browser, page } = await openAs(app, at.user, aLink(at));
    const other = await openAs(app, at.user, aLink(at, { scopes: ['write'] }), browser);
    const evil = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };
    const fields = { ...page.form('decision'), decision: 'allow' };
    const to = page.url.split('?')[0]!;
    await expectRefused(await browser.post(to, fields, evil), 403, 'cross_site_post');
    for (const csrf of ['', 'A'.repeat(43), other.page.form('decision')['csrf']!])
      await expectRefused(await browser.post(to, { ...fields, csrf }), 403, 'csrf_mismatch');
    await expectNoFlow();
  });

  it('is refused after the person signed in again meanwhile', async () => {
    const { browser, page } = await openAs(app, at.user, aLink(at));
    await signIn(browser, await browser.get(`${app.issuer}/login?request=x`), at.user);
    await expectRefused(await press(browser, page), 403, 'csrf_mismatch');
    await expectNoFlow();
  });

  it('allows nothing that the page did not offer', async () => {
    const { browser, page } = await openAs(app, at.user, aLink(at));
    const leaving = await press(browser, page, { 'scope:write': 'on', 'scope:repo:write': 'on' });
    expect(new URL(leaving.location!).searchParams.get('scope')).toBe('repo:read');
  });

  it('stores nothing for nobody: whoever is not signed in makes no row', async () => {
    const { page } = await openAs(app, at.user, aLink(at));
    const visit = await press(new HttpBrowser(), page);
    expect(visit.location).toContain('/login?request=');
    await expectNoFlow();
  });
});

describe('what changes while the person is at the provider', () => {
  it('the provider is gone: the flow is gone with it', async () => {
    const { callback, browser } = await toCallback(at);
    await app.sql('update resources set broker_provider_id = null where id = $1', [at.target.id]);
    await app.sql('delete from broker_providers where id = $1', [at.provider.id]);
    await expectRefused(await browser.get(callback), 400, 'provider_unknown');
    await expectNoFlow();
  });

  it('the provider is another: the code is shown to nobody', async () => {
    const { callback, browser } = await toCallback(at);
    app.clock.advance(1);
    await app.sql('update broker_providers set updated_at = $2 where id = $1', [at.provider.id, app.clock.now()]);
    await expectRefused(await browser.get(callback), 400, 'provider_changed');
  });

  it('the person is disabled', async () => {
    const { callback, browser } = await toCallback(at);
    await app.admin('PATCH', `/admin/users/${at.user.id}/disable`);
    await expectRefused(await browser.get(callback), 403, 'session_missing');
  });

  it.each<[string, () => Promise<unknown>]>([
    ['the person is disabled', () => app.admin('PATCH', `/admin/users/${at.user.id}/disable`)],
    ['the session ends', () => app.sql('delete from sessions where user_id = $1', [at.user.id])],
    ['the MCP server is gone', () => app.sql('delete from resources where id = $1', [at.source.id])],
    [
      'the provider is another',
      () => app.sql(`update broker_providers set updated_at = $2 where id = $1`, [at.provider.id, new Date(0)]),
    ],
  ])('%s while the provider answers: what it gave is thrown away', async (_, change) => {
    const { callback, browser } = await toCallback(at);
    let answer = (): void => undefined;
    const seen = world.proxy.seen.length;
    world.proxy.next({ kind: 'hold', until: new Promise<void>((resolve) => (answer = resolve)) });
    const arriving = browser.get(callback);
    await world.proxy.arrived(seen + 1);
    await change();
    answer();
    const page = await arriving;
    expect([page.status, page.location]).toEqual([400, undefined]);
    expect(await recorded(app, page.response)).toMatchObject([{ reason: 'connect_changed_meanwhile' }]);
    expect([await connectionsOf(at), await consentsOf(at)]).toEqual([[], []]);
  });
});
