import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, audited, authorizeUrl, aUser, pkce, signIn, type UserFixture } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(async () => {
  await app.close();
});

const url = (path: string): string => `${app.issuer}${path}`;
const sessionCookie = (): string => `authserver_session_${new URL(app.issuer).port}`;
const setCookies = (visit: Visit): string[] => visit.response.headers.getSetCookie();

/** Types something into the sign-in page. */
async function attempt(browser: HttpBrowser, fields: { email?: string; password?: string }): Promise<Visit> {
  const page = await browser.get(url('/login'));
  const { email: _, password: __, ...hidden } = page.form('password');
  return browser.post(url('/login'), { ...hidden, ...fields });
}

async function signedIn(user: UserFixture): Promise<HttpBrowser> {
  const browser = new HttpBrowser();
  expect((await attempt(browser, user)).location).toBe(url('/account'));
  return browser;
}

describe('the sign-in page', () => {
  it('[B17 B20] loads nothing, sends no referrer, is stored nowhere and cannot be framed', async () => {
    const { response, html } = await new HttpBrowser().get(url('/login'));
    expect(response.status).toBe(200);
    expect(response.headers.get('content-security-policy')).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; base-uri 'none'; frame-ancestors 'none'$/,
    );
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'cache-control': 'no-store',
    });
    expect(response.headers.get('access-control-allow-origin')).toBeNull();
    expect(html).not.toMatch(/<script|<link|src=|https?:/);
  });

  it('marks the browser with a flow cookie that scripts cannot read, once', async () => {
    const browser = new HttpBrowser();
    const first = await browser.get(url('/login'));
    expect(setCookies(first)).toEqual([
      expect.stringMatching(/^authserver_flow_\d+=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/),
    ]);
    expect(setCookies(await browser.get(url('/login')))).toEqual([]);
  });
});

describe('signing in', () => {
  it('[B19] leads to the account by 303, with a session cookie for 24 hours', async () => {
    const user = await aUser(app);
    const browser = new HttpBrowser();
    const visit = await attempt(browser, user);
    expect(visit.status).toBe(303);
    expect(visit.location).toBe(url('/account'));
    const [cookie] = setCookies(visit);
    expect(cookie).toMatch(/^authserver_session_\d+=ap_se_[\w-]{64}; Max-Age=86400; Path=\/; HttpOnly; SameSite=Lax$/);
    expect((await browser.get(url('/account'))).status).toBe(200);
    expect((await browser.get(url('/login'))).location).toBe(url('/account'));
  });

  it('takes the address in any spelling of its letters', async () => {
    const user = await aUser(app);
    expect((await attempt(new HttpBrowser(), { ...user, email: user.email.toUpperCase() })).status).toBe(303);
  });

  it('goes on with the authorization request that led there', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const page = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const request = new URL(page.url).searchParams.get('request');
    const next = new URL((await signIn(browser, page, flow.user)).location ?? '');
    expect(next.origin + next.pathname).toBe(url('/consent'));
    expect(next.searchParams.get('request')).toBe(request);
    expect((await browser.get(next.href)).html).toContain('name="decision"');
  });

  it('keeps the request through a refusal', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const page = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const refused = await signIn(browser, page, { ...flow.user, password: 'not the password' });
    expect(refused.status).toBe(422);
    expect((await signIn(browser, refused, flow.user)).location).toContain('/consent?request=');
  });

  it('is recorded with the person, and without the address', async () => {
    const user = await aUser(app);
    await signedIn(user);
    expect((await audited(app, 'user.login')).filter(({ actor_id }) => actor_id === user.id)).toHaveLength(1);
    const rows = await app.sql('select * from audit_events where actor_id = $1', [user.id]);
    expect(JSON.stringify(rows)).not.toContain(user.email);
  });
});

describe('a refused sign-in', () => {
  it('is the page again with 422, the address kept, the password not', async () => {
    const user = await aUser(app);
    const visit = await attempt(new HttpBrowser(), { ...user, password: 'not the password' });
    expect(visit.status).toBe(422);
    expect(visit.html).toContain('The e-mail address or the password is not right.');
    expect(visit.form('password')).toMatchObject({ email: user.email, password: '' });
    expect(setCookies(visit)).toEqual([]);
  });

  it.each([[{}], [{ email: 'somebody@people.example' }], [{ password: 'x' }]])(
    'is the same for a form with %j only',
    async (fields) => {
      const visit = await attempt(new HttpBrowser(), fields);
      expect(visit.status).toBe(422);
      expect(visit.html).toContain('The e-mail address or the password is not right.');
    },
  );

  it('is recorded with its reason and whose account it was', async () => {
    const [user, disabled] = [await aUser(app), await aUser(app)];
    await app.admin('PATCH', `/admin/users/${disabled.id}/disable`);
    await attempt(new HttpBrowser(), { email: user.email, password: 'not the password' });
    await attempt(new HttpBrowser(), disabled);
    await attempt(new HttpBrowser(), { email: 'nobody@people.example', password: 'x' });
    const reasons = Object.fromEntries(
      (await audited(app, 'user.login_failed')).map(({ actor_id, reason }) => [actor_id, reason]),
    );
    expect(reasons).toMatchObject({
      [user.id]: 'invalid_credentials',
      [disabled.id]: 'user_disabled',
      null: 'user_not_found',
    });
  });
});

describe('signing out', () => {
  it('ends the session, takes the cookie away and leads to the sign-in page', async () => {
    const user = await aUser(app);
    const browser = await signedIn(user);
    const account = await browser.get(url('/account'));
    const visit = await browser.post(url('/logout'), account.form('csrf'));
    expect([visit.status, visit.location]).toEqual([303, url('/login')]);
    expect(browser.cookies.has(sessionCookie())).toBe(false);
    expect(await app.sql('select id from sessions where user_id = $1', [user.id])).toEqual([]);
    expect(await audited(app, 'user.logout')).toMatchObject([{ actor_id: user.id }]);
    expect((await browser.get(url('/account'))).location).toBe(url('/login'));
  });

  it('without being signed in is no mistake', async () => {
    const visit = await new HttpBrowser().post(url('/logout'), {});
    expect([visit.status, visit.location]).toEqual([303, url('/login')]);
  });

  it('on the consent page lets somebody else go on with the same request', async () => {
    const flow = await aFlow(app);
    const other = await aUser(app);
    const browser = new HttpBrowser();
    const page = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const consent = await browser.follow(await signIn(browser, page, flow.user), app.issuer);
    expect(consent.html).toContain(flow.user.email);
    const fields = new URLSearchParams(consent.form('decision'));
    const logout = /<form[^>]*action="\/logout"[\s\S]*?name="csrf" value="([^"]*)"/.exec(consent.html)?.[1] ?? '';
    const login = await browser.follow(
      await browser.post(url('/logout'), { csrf: logout, request: fields.get('request') ?? '' }),
      app.issuer,
    );
    const again = await browser.follow(await signIn(browser, login, other), app.issuer);
    expect(again.url).toContain('/consent?request=');
    expect(again.html).toContain(other.email);
    expect(again.html).not.toContain(flow.user.email);
  });
});
