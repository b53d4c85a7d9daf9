import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { aFlow, audited, authorizeUrl, pkce, redeem } from '../builders.js';
import { arrive, begin, startFederation, there, type Federation } from '../federating.js';
import { HttpBrowser } from '../http-browser.js';

let at: Federation;

beforeAll(async () => {
  at = await startFederation();
});

afterAll(async () => {
  await at.close();
});

const url = (path: string): string => `${at.app.issuer}${path}`;
const usersOf = (subject: string, issuer = at.acme.origin) =>
  at.app.sql<{ id: string; email: string | null; name: string; provider: string }>(
    'select u.id, u.email, u.name, u.provider from users u join identities i on i.user_id = u.id where i.subject = $1 and i.issuer = $2',
    [subject, issuer],
  );

describe('the sign-in page', () => {
  it('has a button for each identity provider, beside the form', async () => {
    const page = await new HttpBrowser().get(url('/login'));
    expect(page.html).toContain('action="/oidc/acme/start"');
    expect(page.html).toContain('Continue with acme');
    expect(page.html).toContain('Continue with globex');
    expect(page.html).toContain('name="password"');
  });
});

describe('signing in at an identity provider', () => {
  it('asks by code with PKCE and nonce, at the redirect URI of this provider', async () => {
    const { location = '' } = await begin(at, new HttpBrowser());
    const asked = Object.fromEntries(new URL(location).searchParams);
    expect(location.startsWith(`${at.acme.origin}/auth?`)).toBe(true);
    expect(asked).toMatchObject({
      client_id: at.acmeClient.clientId,
      response_type: 'code',
      redirect_uri: url('/oidc/acme/callback'),
      scope: 'openid email profile groups',
      code_challenge_method: 'S256',
      nonce: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    });
    expect(asked['state']).not.toContain(asked['nonce']);
  });

  it('makes an account at the first arrival and finds it at the second', async () => {
    const browser = new HttpBrowser();
    const first = await arrive(at, browser, 'ada');
    expect([first.status, first.location]).toEqual([303, url('/account')]);
    expect((await browser.get(url('/account'))).html).toContain('ada@corp.example');
    const [user] = await usersOf('ada');
    expect(user).toMatchObject({ email: 'ada@corp.example', name: 'ada of the company', provider: 'oidc' });
    expect((await arrive(at, new HttpBrowser(), 'ada')).location).toBe(url('/account'));
    expect(await usersOf('ada')).toEqual([user]);
    const rows = (await audited(at.app, 'user.oidc_login')).filter(({ actor_id }) => actor_id === user?.id);
    expect(rows.map(({ detail }) => detail)).toEqual([{ provider: 'acme' }, { provider: 'acme' }]);
  });

  it('goes on with the authorization request, to a token whose subject is our user', async () => {
    const flow = await aFlow(at.app);
    const { challenge, verifier } = pkce();
    const browser = new HttpBrowser();
    const page = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), at.app.issuer);
    const request = new URL(page.url).searchParams.get('request') ?? '';
    const back = await at.acme.signIn(browser, await begin(at, browser, 'acme', request), 'grace');
    const consent = await browser.follow(back, at.app.issuer);
    expect(consent.url).toContain('/consent?request=');
    const decided = await browser.post(url('/consent'), { ...consent.form('decision'), decision: 'allow' });
    const code = new URL(decided.location ?? '').searchParams.get('code') ?? '';
    const { body } = await redeem({ ...flow, code, verifier });
    const [user] = await usersOf('grace');
    const claims = JSON.parse(Buffer.from(body.access_token.split('.')[1], 'base64url').toString());
    expect(claims.sub).toBe(user?.id);
  });

  it('makes one account of simultaneous first arrivals', async () => {
    const browsers = Array.from({ length: 6 }, () => new HttpBrowser());
    const callbacks = await Promise.all(browsers.map((browser) => there(at, browser, 'twice')));
    const visits = await Promise.all(browsers.map((browser, index) => browser.get(callbacks[index] ?? '')));
    expect(visits.map(({ location }) => location)).toEqual(browsers.map(() => url('/account')));
    expect(await usersOf('twice')).toHaveLength(1);
    expect(await at.app.sql('select id from users where name = $1', ['twice of the company'])).toHaveLength(1);
  });

  it('takes the same subject of two providers for two people', async () => {
    await at.globex.set({ people: { same: { email: 'same@globex.example' } } });
    await arrive(at, new HttpBrowser(), 'same', 'acme');
    await arrive(at, new HttpBrowser(), 'same', 'globex');
    const [[one], [other]] = [await usersOf('same'), await usersOf('same', at.globex.origin)];
    expect(one?.email).toBe('same@corp.example');
    expect(other?.email).toBe('same@globex.example');
    expect(one?.id).not.toBe(other?.id);
  });

  it('keeps no address that the provider did not verify', async () => {
    await at.acme.set({ people: { unsure: { email: 'boss@corp.example', email_verified: false } } });
    expect((await arrive(at, new HttpBrowser(), 'unsure')).location).toBe(url('/account'));
    expect(await usersOf('unsure')).toMatchObject([{ email: null }]);
  });

  it('reads the discovery document and the keys once for many', async () => {
    const before = await at.acme.requests();
    await arrive(at, new HttpBrowser(), 'ada');
    await arrive(at, new HttpBrowser(), 'ada');
    const after = await at.acme.requests();
    expect([after.discovery - before.discovery, after.jwks - before.jwks]).toEqual([0, 0]);
    expect(after.token - before.token).toBe(2);
  });
});

describe('an identity provider that is away', () => {
  it('is a 503 that says so, and costs nobody anything', async () => {
    const browser = new HttpBrowser();
    const callback = await there(at, browser, 'ada');
    await at.acme.set({ away: true });
    const visit = await browser.get(callback);
    await at.acme.set({ away: false });
    expect(visit.status).toBe(503);
    expect(visit.html).toContain('does not answer');
    expect(visit.response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    expect((await arrive(at, browser, 'ada')).location).toBe(url('/account'));
  });
});

describe('an identity provider that changes its key without notice', () => {
  it('is believed again a minute after its keys were last read, also by whoever was on their way', async () => {
    const [early, late] = [new HttpBrowser(), new HttpBrowser()];
    // Keys of five minutes ago are read anew; from then on the clock stands still.
    vi.useFakeTimers({ toFake: ['Date'], now: new Date().getTime() + 5 * 60_000 });
    const { jwks } = await at.acme.requests();
    await arrive(at, early, 'ada');
    expect((await at.acme.requests()).jwks).toBe(jwks + 1);
    const callbacks = [await there(at, early, 'ada'), await there(at, late, 'grace')];
    await at.acme.set({ rotated: true });
    // Keys that were read a moment ago are not asked for again for a key id of anybody's making.
    expect((await early.get(callbacks[0] ?? '')).status).toBe(401);
    vi.setSystemTime(new Date().getTime() + 61_000);
    const arrived = await late.get(callbacks[1] ?? '');
    vi.useRealTimers();
    await at.acme.set({ rotated: false });
    expect(arrived.location).toBe(url('/account'));
  });
});
