import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, aUser, signIn, tokensOf, type UserFixture } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let victim: UserFixture;
let browser: HttpBrowser;

beforeAll(async () => {
  app = await startTestApp();
});

afterAll(async () => {
  await app.close();
});

beforeEach(async () => {
  victim = await aUser(app);
  browser = await signedIn(victim);
});

const url = (path: string): string => `${app.issuer}${path}`;
const account = (of: HttpBrowser): Promise<Visit> => of.get(url('/account'));

async function signedIn(user: UserFixture): Promise<HttpBrowser> {
  const fresh = new HttpBrowser();
  expect((await signIn(fresh, await fresh.get(url('/login')), user)).status).toBe(303);
  return fresh;
}

/** A thief with every cookie of the browser. */
function copyOf(robbed: HttpBrowser): HttpBrowser {
  const thief = new HttpBrowser();
  for (const [name, value] of robbed.cookies) thief.cookies.set(name, value);
  return thief;
}

describe('a stolen session cookie', () => {
  let thief: HttpBrowser;

  beforeEach(async () => {
    thief = copyOf(browser);
    expect((await account(thief)).status).toBe(200);
  });

  it('is worth nothing after signing out', async () => {
    await browser.post(url('/logout'), (await account(browser)).form('csrf'));
    expect((await account(thief)).location).toBe(url('/login'));
  });

  it('is worth nothing after the password was changed, though it was this browser’s own', async () => {
    const fields = { current: victim.password, new: 'a new and longer password', again: 'a new and longer password' };
    const visit = await browser.post(url('/account/password'), {
      ...(await account(browser)).form('current'),
      ...fields,
    });
    expect(visit.status).toBe(303);
    expect((await account(thief)).location).toBe(url('/login'));
    expect((await account(browser)).status).toBe(200);
  });

  it('is worth nothing after the password was changed in another browser', async () => {
    const elsewhere = await signedIn(victim);
    const fields = { current: victim.password, new: 'a new and longer password', again: 'a new and longer password' };
    await elsewhere.post(url('/account/password'), { ...(await account(elsewhere)).form('current'), ...fields });
    expect((await account(thief)).location).toBe(url('/login'));
    expect((await account(browser)).location).toBe(url('/login'));
  });

  it('is worth nothing after the account was disabled, and stays so when it is enabled again', async () => {
    await app.admin('PATCH', `/admin/users/${victim.id}/disable`);
    expect((await account(thief)).location).toBe(url('/login'));
    await app.admin('PATCH', `/admin/users/${victim.id}/enable`);
    expect((await account(thief)).location).toBe(url('/login'));
  });

  it('is worth nothing after the account was deleted', async () => {
    await app.admin('DELETE', `/admin/users/${victim.id}?force=true`);
    expect((await account(thief)).location).toBe(url('/login'));
  });

  it('is worth nothing after session.max_age', async () => {
    app.clock.advance(24 * 3600);
    expect((await account(thief)).location).toBe(url('/login'));
  });

  it('cannot change the password without knowing it, and guessing is limited', async () => {
    const fields = (await account(thief)).form('current');
    const guess = (n: number): Promise<Visit> =>
      thief.post(url('/account/password'), {
        ...fields,
        current: `guess ${n}`,
        new: 'a new and longer password',
        again: 'a new and longer password',
      });
    for (let n = 0; n < 10; n += 1) expect((await guess(n)).status).toBe(422);
    const locked = await guess(10);
    expect(locked.status).toBe(429);
    expect(Number(locked.response.headers.get('retry-after'))).toBeGreaterThan(880);
  });
});

describe('a forged session cookie', () => {
  const name = (): string => `authserver_session_${new URL(app.issuer).port}`;

  it.each([
    ['another secret under the same id', (value: string) => `${value.slice(0, -6)}AAAAAA`],
    ['a shorter one', (value: string) => value.slice(0, -1)],
    ['one of another kind', (value: string) => value.replace('ap_se_', 'ap_ac_')],
    ['nonsense', () => 'nonsense'],
    ['nothing', () => ''],
    ['SQL', () => "ap_se_' or 1=1 --"],
  ])('is nobody’s: %s', async (_, forge) => {
    const forger = copyOf(browser);
    forger.cookies.set(name(), forge(browser.cookies.get(name()) ?? ''));
    expect((await account(forger)).location).toBe(url('/login'));
  });
});

describe('a form of another site', () => {
  const crossSite = { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' };

  it.each([
    '/logout',
    '/account/withdraw',
    '/account/sessions/end',
    '/account/sessions/end-others',
    '/account/password',
  ])('posted to %s is refused: without a token, with another’s, and even with the right one', async (path) => {
    await signedIn(victim);
    const mallory = await signedIn(await aUser(app));
    const own = { ...(await account(browser)).form('csrf'), ...(await account(browser)).form('current') };
    const foreign = { ...(await account(mallory)).form('csrf'), ...(await account(mallory)).form('current') };
    const right = path === '/logout' ? (await account(browser)).form('csrf') : own;
    for (const visit of [
      await browser.post(url(path), {}),
      await browser.post(url(path), foreign),
      await browser.post(url(path), right, crossSite),
    ]) {
      expect(visit.status).toBe(403);
      expect(visit.location).toBeUndefined();
    }
    expect(await app.sql('select id from sessions where user_id = $1', [victim.id])).toHaveLength(2);
  });

  it('cannot use the token of the sign-out form for anything else', async () => {
    const { csrf = '' } = (await account(browser)).form('csrf');
    expect((await browser.post(url('/account/sessions/end-others'), { csrf })).status).toBe(403);
  });

  it('cannot sign anybody out by a link', async () => {
    expect((await browser.get(url('/logout'))).status).toBe(404);
    expect((await account(browser)).status).toBe(200);
  });
});

describe('another person', () => {
  it('cannot withdraw a consent or end a session that is not theirs', async () => {
    await tokensOf({ ...(await aFlow(app)), user: victim }, {}, browser);
    const [consent] = await app.sql<{ id: string }>('select id from consents where user_id = $1', [victim.id]);
    const [session] = await app.sql<{ id: string }>('select id from sessions where user_id = $1', [victim.id]);
    const mallory = await signedIn(await aUser(app));
    const fields = (await account(mallory)).form('current');
    await mallory.post(url('/account/withdraw'), { ...fields, consent: consent?.id ?? '' });
    await mallory.post(url('/account/sessions/end'), { ...fields, session: session?.id ?? '' });
    const { html, status } = await account(browser);
    expect(status).toBe(200);
    expect(html).not.toContain('No application has access.');
  });
});

describe('what is stored and said', () => {
  it('holds no session value, password or address in the logs and the audit', async () => {
    const value = [...browser.cookies.values()].find((cookie) => cookie.startsWith('ap_se_')) ?? 'missing';
    const rows = await app.sql('select * from audit_events');
    const said = [...app.logged, JSON.stringify(rows)].join('\n');
    for (const secret of [value, victim.password, victim.email]) expect(said).not.toContain(secret);
  });
});
