import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aFlow, audited, authorizeUrl, aUser, pkce, signIn, type UserFixture } from '../builders.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let user: UserFixture;

beforeAll(async () => {
  app = await startTestApp();
  user = await aUser(app);
});

afterAll(async () => {
  await app.close();
});

const url = (path: string): string => `${app.issuer}${path}`;
const sessionName = (): string => `authserver_session_${new URL(app.issuer).port}`;
const loginPage = (browser: HttpBrowser): Promise<Visit> => browser.get(url('/login'));
const signedIn = async (browser: HttpBrowser): Promise<boolean> => (await browser.get(url('/account'))).status === 200;

async function attempt(
  browser: HttpBrowser,
  email: string,
  password: string,
  headers?: Record<string, string>,
): Promise<Visit> {
  return browser.post(url('/login'), { ...(await loginPage(browser)).form('password'), email, password }, headers);
}

describe('login CSRF: signing a victim in as the attacker', () => {
  it('is refused with the attacker’s own token, which belongs to the attacker’s browser', async () => {
    const [attacker, victim] = [new HttpBrowser(), new HttpBrowser()];
    await loginPage(victim);
    const fields = { ...(await loginPage(attacker)).form('password'), email: user.email, password: user.password };
    const visit = await victim.post(url('/login'), fields);
    expect(visit.status).toBe(403);
    expect(visit.location).toBeUndefined();
    expect(await signedIn(victim)).toBe(false);
  });

  it('is refused in a browser that never saw the page', async () => {
    const fields = {
      ...(await loginPage(new HttpBrowser())).form('password'),
      email: user.email,
      password: user.password,
    };
    expect((await new HttpBrowser().post(url('/login'), fields)).status).toBe(403);
  });

  it('is refused without a token, and with one for another authorization request', async () => {
    const browser = new HttpBrowser();
    const { csrf = '' } = (await loginPage(browser)).form('password');
    const credentials = { email: user.email, password: user.password };
    expect((await browser.post(url('/login'), credentials)).status).toBe(403);
    expect((await browser.post(url('/login'), { ...credentials, csrf, request: 'v1..another' })).status).toBe(403);
    expect((await browser.post(url('/login'), { ...credentials, csrf })).status).toBe(303);
  });

  it.each([
    [{ origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'null', 'sec-fetch-site': 'cross-site' }],
    [{ origin: 'http://localhost:1', 'sec-fetch-site': 'same-site' }],
  ])('is refused when the form stood on another site, even with the right token: %j', async (headers) => {
    const browser = new HttpBrowser();
    expect((await attempt(browser, user.email, user.password, headers)).status).toBe(403);
    expect(await signedIn(browser)).toBe(false);
  });
});

describe('session fixation', () => {
  it('fails: a session cookie that was planted is never the one that is signed in', async () => {
    const planted = `ap_se_${'A'.repeat(64)}`;
    const victim = new HttpBrowser();
    victim.cookies.set(sessionName(), planted);
    await attempt(victim, user.email, user.password);
    expect(victim.cookies.get(sessionName())).not.toBe(planted);
    const attacker = new HttpBrowser();
    attacker.cookies.set(sessionName(), planted);
    expect(await signedIn(attacker)).toBe(false);
  });

  it('fails with the attacker’s own live session: signing in over it ends it', async () => {
    const mallory = await aUser(app);
    const [attacker, victim] = [new HttpBrowser(), new HttpBrowser()];
    await attempt(attacker, mallory.email, mallory.password);
    victim.cookies.set(sessionName(), attacker.cookies.get(sessionName()) ?? '');
    const page = await victim.get(url('/login?request=v1..x'));
    await victim.post(url('/login'), { ...page.form('password'), email: user.email, password: user.password });
    expect((await victim.get(url('/account'))).html).toContain(user.email);
    expect(await signedIn(attacker)).toBe(false);
  });
});

describe('open redirects', () => {
  const elsewhere = 'https://evil.example/';

  it.each(['redirect', 'redirect_uri', 'next', 'return_to', 'continue', 'url', 'target'])(
    'do not exist: %s is carried nowhere',
    async (name) => {
      const browser = new HttpBrowser();
      const page = await browser.get(url(`/login?${name}=${encodeURIComponent(elsewhere)}`));
      expect(page.html).not.toContain('evil.example');
      const fields = { ...page.form('password'), email: user.email, password: user.password, [name]: elsewhere };
      expect((await browser.post(url('/login'), fields)).location).toBe(url('/account'));
    },
  );

  it.each([
    elsewhere,
    '//evil.example',
    '/\\evil.example',
    'javascript:alert(1)',
    'x&next=https://evil.example',
    '#@evil.example',
    '../evil',
  ])('do not exist: a request of "%s" only ever leads to our own consent page', async (request) => {
    const browser = new HttpBrowser();
    const page = await browser.get(url(`/login?request=${encodeURIComponent(request)}`));
    const visit = await browser.post(url('/login'), {
      ...page.form('password'),
      email: user.email,
      password: user.password,
    });
    const next = new URL(visit.location ?? '');
    expect(next.origin + next.pathname).toBe(url('/consent'));
    expect([...next.searchParams]).toEqual([['request', request]]);
    expect((await browser.get(next.href)).status).toBe(403);
  });

  it('do not exist behind the sign-out form either', async () => {
    const browser = new HttpBrowser();
    await attempt(browser, user.email, user.password);
    const { csrf = '' } = (await browser.get(url('/account'))).form('csrf');
    const visit = await browser.post(url('/logout'), { csrf, request: '//evil.example', next: elsewhere });
    expect(visit.location).toBe(`${url('/login')}?request=${encodeURIComponent('//evil.example')}`);
  });
});

describe('guessing passwords', () => {
  it('locks an identity at an address after ten failures, also for the right password, and says how long', async () => {
    const victim = await aUser(app);
    const browser = new HttpBrowser();
    for (let n = 0; n < 10; n += 1)
      expect((await attempt(browser, victim.email, `guess number ${n}`)).status).toBe(422);
    const visit = await attempt(browser, victim.email, victim.password);
    expect(visit.status).toBe(429);
    expect(Number(visit.response.headers.get('retry-after'))).toBeGreaterThan(880);
    expect(visit.html).toContain('Please try again in 15 minutes.');
    expect(await signedIn(browser)).toBe(false);
    expect(await audited(app, 'auth.locked_out')).toMatchObject([
      { actor_id: victim.id, detail: { until: expect.any(String) } },
    ]);
    expect((await attempt(new HttpBrowser(), user.email, user.password)).status).toBe(303);
  });

  it('locks an account that does not exist in the same way', async () => {
    const browser = new HttpBrowser();
    for (let n = 0; n < 10; n += 1) await attempt(browser, 'ghost@people.example', 'x');
    expect((await attempt(browser, 'GHOST@people.example', 'x')).status).toBe(429);
  });

  it('is not faster when all guesses are sent at once', async () => {
    const victim = await aUser(app);
    const browser = new HttpBrowser();
    const fields = (await loginPage(browser)).form('password');
    const guesses = Array.from({ length: 40 }, (_, n) =>
      browser.post(url('/login'), { ...fields, email: victim.email, password: `guess ${n}` }),
    );
    const statuses = (await Promise.all(guesses)).map(({ status }) => status);
    expect(statuses.filter((status) => status === 422).length).toBeLessThanOrEqual(10);
    expect(new Set(statuses)).toEqual(new Set([422, 429]));
  });

  it('does not tell whether an account exists, is disabled or has no password', async () => {
    const separate = await startTestApp();
    try {
      const [known, disabled, federated] = [await aUser(separate), await aUser(separate), await aUser(separate)];
      await separate.admin('PATCH', `/admin/users/${disabled.id}/disable`);
      await separate.sql("update users set provider = 'oidc', password_hash = null where id = $1", [federated.id]);
      const people = [
        { ...known, password: 'not the password' },
        { email: 'nobody@people.example', password: 'not the password' },
        disabled,
        federated,
      ];
      const answers = await Promise.all(
        people.map(async ({ email, password }) => {
          const browser = new HttpBrowser();
          const page = await browser.get(`${separate.issuer}/login`);
          const visit = await browser.post(`${separate.issuer}/login`, { ...page.form('password'), email, password });
          const html = visit.html.replaceAll(email, 'EMAIL').replace(/name="csrf" value="[^"]*"/, '');
          return `${visit.status} ${visit.response.headers.getSetCookie().length} ${html}`;
        }),
      );
      expect(new Set(answers).size).toBe(1);
    } finally {
      await separate.close();
    }
  });
});

describe('markup in what others chose', () => {
  const evil = `"'><script>alert(1)</script><img src=x onerror=alert(1)>`;

  it('is text in the address on the sign-in page', async () => {
    const { html, status } = await attempt(new HttpBrowser(), evil, 'x');
    expect(status).toBe(422);
    expect(html).not.toMatch(/<script|<img/);
  });

  it('is text in the names of client, person and scope on the consent page', async () => {
    const flow = await aFlow(app, { client_name: `Evil ${evil}` });
    const description = `Reads ${evil}`;
    await app.admin('PATCH', `/admin/resources/${flow.resource.id}`, {
      display_name: `Notes ${evil}`,
      scopes: [{ name: 'notes:read', description }],
    });
    await app.admin('PATCH', `/admin/users/${flow.user.id}`, { name: evil });
    const browser = new HttpBrowser();
    const page = await browser.follow(
      await browser.get(authorizeUrl(flow, pkce().challenge, { scope: 'notes:read' })),
      app.issuer,
    );
    const { html } = await browser.follow(await signIn(browser, page, flow.user), app.issuer);
    expect(html).toContain('name="decision"');
    expect(html).toContain('Evil &quot;');
    expect(html).toContain('Reads &quot;');
    expect(html).not.toMatch(/<script|<img/);
    expect((await browser.get(url('/account'))).html).not.toMatch(/<script|<img/);
  });
});
