import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aUser } from '../builders.js';
import { arrive, begin, startFederation, type Federation } from '../federating.js';
import { CommandLine } from '../command-line.js';
import { HttpBrowser } from '../http-browser.js';

let at: Federation;

beforeAll(async () => {
  const more = 'show_local_login: false';
  at = await startFederation({ more, provider: 'email_domains: [Corp.Example, acme.example], logout_upstream: true' });
});

afterAll(async () => {
  await at.close();
});

const url = (path: string): string => `${at.app.issuer}${path}`;

describe('without passwords of this server', () => {
  it('has no form for them, and POST /login is not there, even with a right password', async () => {
    const user = await aUser(at.app);
    const browser = new HttpBrowser();
    const page = await browser.get(url('/login'));
    expect(page.html).not.toContain('name="password"');
    const visit = await browser.post(url('/login'), { email: user.email, password: user.password });
    expect(visit.status).toBe(404);
    expect((await browser.get(url('/account'))).location).toBe(url('/login'));
  });
});

describe('a provider that is responsible for e-mail domains', () => {
  it('has no button; the address that a person types leads there, and is filled in there', async () => {
    const browser = new HttpBrowser();
    const page = await browser.get(url('/login'));
    expect(page.html).not.toContain('Continue with acme');
    expect(page.html).toContain('Continue with globex');
    const visit = await browser.post(url('/oidc/by-email'), { ...page.form('email'), email: ' Ada@CORP.example ' });
    expect(visit.location?.startsWith(`${at.acme.origin}/auth?`)).toBe(true);
    expect(new URL(visit.location ?? '').searchParams.get('login_hint')).toBe(' Ada@CORP.example ');
    const back = await at.acme.signIn(browser, visit, 'ada');
    expect((await browser.get(back.location ?? '')).location).toBe(url('/account'));
  });

  it.each(['ada@corp.example.evil.example', 'ada@evil-corp.example', 'corp.example', 'ada@', ''])(
    'is not responsible for %j',
    async (email) => {
      const browser = new HttpBrowser();
      const page = await browser.get(url('/login'));
      expect((await browser.post(url('/oidc/by-email'), { ...page.form('email'), email })).status).toBe(404);
    },
  );
});

describe('signing out of a session that began at a provider', () => {
  /** Signs in at acme by address. */
  async function aSession(): Promise<{ browser: HttpBrowser; csrf: string }> {
    const browser = new HttpBrowser();
    expect((await arrive(at, browser, 'ada')).location).toBe(url('/account'));
    const account = (await browser.get(url('/account'))).html;
    return { browser, csrf: /action="\/logout"[\s\S]*?name="csrf" value="([^"]*)"/.exec(account)?.[1] ?? '' };
  }

  it('ends it here and goes on to the sign-out page there, which knows where to come back to', async () => {
    const { browser, csrf } = await aSession();
    const visit = await browser.post(url('/logout'), { csrf, request: 'v1..a-request' });
    const there = new URL(visit.location ?? '');
    expect(there.origin + there.pathname).toBe(`${at.acme.origin}/session/end`);
    expect(Object.fromEntries(there.searchParams)).toEqual({
      client_id: at.acmeClient.clientId,
      post_logout_redirect_uri: url('/login'),
      state: 'v1..a-request',
    });
    expect((await browser.get(url('/account'))).location).toBe(url('/login'));
    const page = await browser.get(there.href);
    const done = await browser.post(`${at.acme.origin}/session/end/confirm`, { ...page.form('xsrf'), logout: 'yes' });
    const back = await browser.follow(done, at.acme.origin);
    expect(back.location).toBe(`${url('/login')}?state=v1..a-request`);
    expect((await browser.get(back.location ?? '')).form('request')).toMatchObject({ request: 'v1..a-request' });
    // The provider asks again.
    expect((await browser.follow(await begin(at, browser), at.acme.origin)).html).toContain('name="login"');
  });

  it('stays here when the provider is not to be asked, or the form is not ours', async () => {
    const { browser } = await aSession();
    expect((await browser.post(url('/logout'), { csrf: 'wrong' })).status).toBe(403);
    expect((await browser.get(url('/account'))).status).toBe(200);
    await at.globex.set({ people: { gus: { email: 'gus@globex.example' } } });
    const other = new HttpBrowser();
    await arrive(at, other, 'gus', 'globex');
    const account = (await other.get(url('/account'))).html;
    const csrf = /action="\/logout"[\s\S]*?name="csrf" value="([^"]*)"/.exec(account)?.[1] ?? '';
    expect((await other.post(url('/logout'), { csrf })).location).toBe(url('/login'));
  });
});

describe('an operator', () => {
  const identities = (id: string) => `/admin/users/${id}/identities`;

  it('links a person of a provider to an account, which they then sign in to', async () => {
    const user = await aUser(at.app, { email: 'linda@corp.example' });
    const browser = new HttpBrowser();
    expect((await arrive(at, browser, 'linda')).status).toBe(409);
    const identity = { issuer: at.acme.origin, subject: 'linda' };
    expect(await at.app.admin('POST', identities(user.id), identity)).toMatchObject({ status: 201, body: identity });
    expect(await at.app.admin('POST', identities(user.id), identity)).toMatchObject({ status: 201 });
    expect((await at.app.admin('GET', identities(user.id))).body.identities).toMatchObject([identity]);
    expect((await arrive(at, browser, 'linda')).location).toBe(url('/account'));
    expect((await browser.get(url('/account'))).html).toContain('linda@corp.example');

    const other = await aUser(at.app);
    expect(await at.app.admin('POST', identities(other.id), identity)).toMatchObject({
      status: 409,
      body: { code: 'identity_exists' },
    });
    expect((await at.app.admin('DELETE', identities(other.id), identity)).status).toBe(404);
    expect((await at.app.admin('DELETE', identities(user.id), identity)).status).toBe(204);
    expect((await browser.get(url('/account'))).location).toBe(url('/login'));
    expect((await at.app.admin('GET', identities(user.id))).body.identities).toEqual([]);
    expect((await arrive(at, new HttpBrowser(), 'linda')).status).toBe(409);
  });

  it('is told of an account that is not there, and of an identity that is none', async () => {
    const nobody = '01890000-0000-7000-8000-000000000000';
    const identity = { issuer: at.acme.origin, subject: 'x' };
    expect((await at.app.admin('POST', identities(nobody), identity)).status).toBe(404);
    expect((await at.app.admin('GET', identities(nobody))).status).toBe(404);
    const user = await aUser(at.app);
    expect((await at.app.admin('POST', identities(user.id), { issuer: at.acme.origin })).status).toBe(400);
    expect((await at.app.admin('POST', identities(user.id), { ...identity, subject: '' })).status).toBe(400);
  });

  it('sees and undoes it by the command line, too', async () => {
    await at.globex.set({ people: { ines: { email: 'ines@globex.example', groups: ['staff', 'admins'] } } });
    await arrive(at, new HttpBrowser(), 'ines', 'globex');
    const [{ id } = { id: '' }] = await at.app.sql<{ id: string }>(
      `select user_id as id from identities where subject = 'ines'`,
    );
    const command = new CommandLine(at.app);
    const list = () => command.run(['user', 'identities', '--id', id]);
    const shown = (await list()).stdout;
    for (const word of ['globex', 'ines', 'admins', 'staff', at.app.clock.now().toISOString()])
      expect(shown).toContain(word);
    const args = ['--id', id, '--issuer', at.globex.origin, '--subject', 'ines'];
    expect((await command.run(['user', 'unlink-identity', ...args])).code).toBe(0);
    expect((await list()).stdout).not.toContain('ines');
    expect((await command.run(['user', 'unlink-identity', ...args])).code).not.toBe(0);
    expect((await command.run(['user', 'link-identity', ...args])).code).toBe(0);
    expect((await list()).stdout).toContain('ines');
  });
});
