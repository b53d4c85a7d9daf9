import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { audited, aUser } from '../builders.js';
import { arrive, begin, startFederation, there, type Federation } from '../federating.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let at: Federation;
let person = 0;

beforeAll(async () => {
  at = await startFederation({ provider: 'hosted_domains: [corp.example], tenants: [tenant-1]' });
});

afterAll(async () => {
  await at.close();
});

const url = (path: string): string => `${at.app.issuer}${path}`;
const aLogin = (): string => `person-${(person += 1)}`;
const signedIn = async (browser: HttpBrowser): Promise<boolean> => (await browser.get(url('/account'))).status === 200;
const known = (subject: string) => at.app.sql('select * from identities where subject = $1', [subject]);

/** A refusal: no session, no account, and its private reason in the audit log. */
async function refused(
  browser: HttpBrowser,
  visit: Visit,
  login: string,
  status: number,
  reason: string,
): Promise<void> {
  expect(visit.status).toBe(status);
  expect(visit.location).toBeUndefined();
  expect(await signedIn(browser)).toBe(false);
  expect(await known(login)).toEqual([]);
  const requestId = visit.response.headers.get('x-request-id');
  const rows = await at.app.sql('select action, reason from audit_events where request_id = $1', [requestId]);
  expect(rows).toEqual([{ action: 'user.oidc_login_failed', reason }]);
}

describe('a callback that another browser began', () => {
  it('is refused, so that nobody is signed in as the attacker', async () => {
    const [attacker, victim] = [new HttpBrowser(), new HttpBrowser()];
    const login = aLogin();
    const callback = await there(at, attacker, login);
    await victim.get(url('/login'));
    await refused(victim, await victim.get(callback), login, 403, 'flow_cookie_mismatch');
    const stranger = new HttpBrowser();
    await refused(stranger, await stranger.get(callback), login, 403, 'flow_cookie_mismatch');
    // Nothing was spent: the browser that began may end.
    expect((await attacker.get(callback)).location).toBe(url('/account'));
  });

  it('is refused with a state that was changed, or none', async () => {
    const browser = new HttpBrowser();
    const login = aLogin();
    const callback = new URL(await there(at, browser, login));
    const state = callback.searchParams.get('state') ?? '';
    callback.searchParams.set('state', `${state.slice(0, -2)}${state.endsWith('AA') ? 'BB' : 'AA'}`);
    await refused(browser, await browser.get(callback.href), login, 403, 'flow_cookie_mismatch');
    callback.searchParams.delete('state');
    await refused(browser, await browser.get(callback.href), login, 403, 'flow_cookie_mismatch');
  });
});

describe('a mix-up of two providers', () => {
  it('is refused at the callback of another provider, before any code is redeemed', async () => {
    const browser = new HttpBrowser();
    const login = aLogin();
    const before = await at.globex.requests();
    const callback = (await there(at, browser, login)).replace('/oidc/acme/', '/oidc/globex/');
    await refused(browser, await browser.get(callback), login, 400, 'sign_in_of_another_provider');
    expect((await at.globex.requests()).token).toBe(before.token);
  });

  it.each([
    ['of another issuer', (callback: URL) => callback.searchParams.set('iss', at.globex.origin)],
    ['without the issuer that the provider always names', (callback: URL) => callback.searchParams.delete('iss')],
  ])('is refused in an answer %s', async (_, change) => {
    const browser = new HttpBrowser();
    const login = aLogin();
    const before = await at.acme.requests();
    const callback = new URL(await there(at, browser, login));
    change(callback);
    await refused(browser, await browser.get(callback.href), login, 401, 'idp_answer_invalid');
    expect((await at.acme.requests()).token - before.token).toBe(0);
  });
});

describe('a discovery document that leads elsewhere', () => {
  const listening = async (host: string, listener: RequestListener): Promise<{ server: Server; origin: string }> => {
    const server = createServer(listener).listen(0, host);
    await once(server, 'listening');
    return { server, origin: `http://${host}:${(server.address() as AddressInfo).port}` };
  };

  it('leads this server to no other private host', async () => {
    let hits = 0;
    const hidden = await listening('127.0.0.2', (_, res) => {
      hits += 1;
      res.end('{}');
    });
    const idp = await listening('127.0.0.1', (_, res) =>
      res.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          issuer: idp.origin,
          authorization_endpoint: `${idp.origin}/authorize`,
          token_endpoint: `${hidden.origin}/token`,
          jwks_uri: `${hidden.origin}/jwks`,
          response_types_supported: ['code'],
        }),
      ),
    );
    const provider = { slug: 'elsewhere', issuer: idp.origin, client_id: 'us' };
    expect((await at.app.admin('POST', '/admin/sign-in-providers', provider)).status).toBe(201);
    const browser = new HttpBrowser();
    const state = new URL((await browser.get(url('/oidc/elsewhere/start'))).location ?? '').searchParams.get('state');
    const { status } = await browser.get(
      url(`/oidc/elsewhere/callback?code=x&state=${encodeURIComponent(state ?? '')}`),
    );
    expect([status >= 400, hits]).toEqual([true, 0]);
    for (const { server } of [idp, hidden]) server.close();
  });
});

describe('what was used before', () => {
  it('is refused: a callback a second time, without asking the provider', async () => {
    const browser = new HttpBrowser();
    const callback = await there(at, browser, aLogin());
    expect((await browser.get(callback)).location).toBe(url('/account'));
    browser.cookies.delete(`authserver_session_${new URL(at.app.issuer).port}`);
    const before = await at.acme.requests();
    const again = await browser.get(callback);
    expect(again.status).toBe(400);
    expect(await signedIn(browser)).toBe(false);
    expect((await at.acme.requests()).token).toBe(before.token);
    expect((await audited(at.app, 'user.oidc_login_failed')).map(({ reason }) => reason)).toContain('sign_in_spent');
  });

  it('is refused: a code of somebody else with a state of one’s own (code injection)', async () => {
    const [victim, attacker] = [new HttpBrowser(), new HttpBrowser()];
    const [login, own] = [aLogin(), aLogin()];
    const stolen = new URL(await there(at, victim, login)).searchParams.get('code') ?? '';
    const callback = new URL(await there(at, attacker, own));
    callback.searchParams.set('code', stolen);
    await refused(attacker, await attacker.get(callback.href), login, 401, 'idp_code_refused');
  });

  it('is refused: a state of more than ten minutes ago', async () => {
    const browser = new HttpBrowser();
    const login = aLogin();
    const callback = await there(at, browser, login);
    at.app.clock.advance(601);
    await refused(browser, await browser.get(callback), login, 400, 'sign_in_expired');
  });
});

describe('an ID token that may not be believed', () => {
  const past = Math.floor(new Date().getTime() / 1000) - 3600;
  it.each([
    ['with another nonce', { claims: { nonce: 'another' } }],
    ['without a nonce', { remove: ['nonce'] }],
    ['for another client', { claims: { aud: 'another-client' } }],
    ['for two clients, the other of which it was given to', { claims: { aud: 'both', azp: 'another-client' } }],
    ['with a subject longer than one may be', { claims: { sub: 'x'.repeat(256) } }],
    ['of another issuer', { claims: { iss: 'http://localhost:1' } }],
    ['of an issuer that differs by a slash', { claims: { iss: 'slash' } }],
    ['that has expired', { claims: { exp: past, iat: past - 60 } }],
    ['without an end', { remove: ['exp'] }],
    ['without a subject', { remove: ['sub'] }],
    ['with an empty subject', { claims: { sub: '' } }],
    ['that is not signed', { unsigned: true }],
    ['signed with our client secret', { hmac: 'secret' }],
    ['signed by a stranger under the name of the company key', { key: 'stranger' as const }],
    ['signed by a key that the company does not have', { key: 'unknown' as const }],
  ])('is refused: %s', async (_, forge: Record<string, any>) => {
    const browser = new HttpBrowser();
    const login = aLogin();
    const callback = await there(at, browser, login);
    if (forge['claims']?.iss === 'slash') forge['claims'].iss = `${at.acme.origin}/`;
    if (forge['claims']?.aud === 'both') forge['claims'].aud = [at.acmeClient.clientId, 'another-client'];
    if (forge['hmac']) forge['hmac'] = at.acmeClient.clientSecret;
    await at.acme.set({ forge });
    await refused(browser, await browser.get(callback), login, 401, 'idp_answer_invalid');
  });

  it('and the forger makes tokens that are believed where nothing is wrong', async () => {
    const browser = new HttpBrowser();
    const callback = await there(at, browser, aLogin());
    await at.acme.set({ forge: { claims: { name: 'nothing wrong' } } });
    expect((await browser.get(callback)).location).toBe(url('/account'));
  });
});

describe('an e-mail address that another account has', () => {
  it('links nothing, whoever the provider says it is: a page with 409', async () => {
    const local = await aUser(at.app);
    const login = aLogin();
    await at.acme.set({ people: { [login]: { email: local.email.toUpperCase() } } });
    const browser = new HttpBrowser();
    const visit = await arrive(at, browser, login);
    await refused(browser, visit, login, 409, 'email_in_use');
    expect(visit.html).toContain('ask the operator to link the two');
    expect(visit.html.toLowerCase()).not.toContain(local.email);
    expect(await at.app.sql('select email, provider from users where id = $1', [local.id])).toMatchObject([
      { provider: 'local' },
    ]);
    expect(await at.app.sql('select id from users where name = $1', [`${login} of the company`])).toEqual([]);
  });

  it('links nothing between two providers', async () => {
    const login = aLogin();
    expect((await arrive(at, new HttpBrowser(), login, 'acme')).status).toBe(303);
    const browser = new HttpBrowser();
    const visit = await arrive(at, browser, login, 'globex');
    expect(visit.status).toBe(409);
    expect(await signedIn(browser)).toBe(false);
    expect(await known(login)).toHaveLength(1);
  });
});

describe('who may not sign in', () => {
  it.each([
    ['of another domain', { hd: 'evil.example' }, 'hosted_domain_refused'],
    ['of a domain that ends like it', { hd: 'not-corp.example' }, 'hosted_domain_refused'],
    ['of no domain, with an address that looks like it', { hd: undefined }, 'hosted_domain_refused'],
    ['of a list of domains', { hd: ['corp.example'] }, 'hosted_domain_refused'],
    ['of another tenant', { tid: 'tenant-2' }, 'tenant_refused'],
  ])('is somebody %s', async (_, claims: Record<string, unknown>, reason) => {
    const login = aLogin();
    await at.acme.set({ people: { [login]: claims } });
    const browser = new HttpBrowser();
    const callback = await there(at, browser, login);
    if ('hd' in claims && claims['hd'] === undefined) await at.acme.set({ forge: { remove: ['hd'] } });
    await refused(browser, await browser.get(callback), login, 403, reason);
  });

  it('is whoever the operator disabled here', async () => {
    const login = aLogin();
    await arrive(at, new HttpBrowser(), login);
    const [identity] = await at.app.sql<{ user_id: string }>('select user_id from identities where subject = $1', [
      login,
    ]);
    await at.app.admin('PATCH', `/admin/users/${identity?.user_id}/disable`);
    const browser = new HttpBrowser();
    const visit = await arrive(at, browser, login);
    expect(visit.status).toBe(403);
    expect(await signedIn(browser)).toBe(false);
  });

  it('is whoever says no at the provider', async () => {
    const browser = new HttpBrowser();
    await refused(browser, await arrive(at, browser, 'nobody'), 'nobody', 401, 'idp_denied');
  });
});

describe('where a sign-in leads', () => {
  it('is never an address that somebody wrote into a link', async () => {
    const browser = new HttpBrowser();
    const start = url('/oidc/acme/start?redirect=https://evil.example&request=https://evil.example');
    const back = await at.acme.signIn(browser, await browser.get(start), aLogin());
    const visit = await browser.get(back.location ?? '');
    expect(new URL(visit.location ?? '').origin).toBe(at.app.issuer);
    expect((await browser.get(visit.location ?? '')).status).toBe(403);
  });

  it('keeps the password form of an account without a password closed', async () => {
    const login = aLogin();
    await arrive(at, new HttpBrowser(), login);
    const browser = new HttpBrowser();
    const page = await browser.get(url('/login'));
    const fields = { ...page.form('password'), email: `${login}@corp.example`, password: 'x' };
    expect((await browser.post(url('/login'), fields)).status).toBe(422);
  });

  it('knows no provider that is not there', async () => {
    expect((await begin(at, new HttpBrowser(), 'nowhere')).status).toBe(404);
    expect((await new HttpBrowser().get(url('/oidc/start'))).status).toBe(404);
  });
});
