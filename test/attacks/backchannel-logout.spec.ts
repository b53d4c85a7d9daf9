import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApp } from '../app.js';
import { audited } from '../builders.js';
import { arrive, startFederation, type Federation } from '../federating.js';
import { HttpBrowser } from '../http-browser.js';
import type { LogoutForge } from '../idp/idp.js';

const EVENT = 'http://schemas.openid.net/event/backchannel-logout';

let at: Federation;
let count = 0;

beforeAll(async () => {
  at = await startFederation();
});

afterAll(async () => {
  vi.useRealTimers();
  await at.close();
});

/** Somebody who is signed in by way of acme. */
async function aSession(): Promise<{ browser: HttpBrowser; sub: string; sid: string }> {
  const sub = `person-${(count += 1)}`;
  const browser = new HttpBrowser();
  expect((await arrive(at, browser, sub)).status).toBe(303);
  const [row] = await at.app.sql<{ sid: string }>(
    'select s.upstream_session_id as sid from sessions s join identities i on i.user_id = s.user_id where i.subject = $1',
    [sub],
  );
  return { browser, sub, sid: row?.sid ?? '' };
}

const isSignedIn = async (browser: HttpBrowser): Promise<boolean> =>
  (await browser.get(`${at.app.issuer}/account`)).status === 200;

/** As a good token has them. */
function claimsOf(of: { sub?: string; sid?: string }): Record<string, unknown> {
  const iat = Math.floor(at.app.clock.now().getTime() / 1000);
  return {
    iss: at.acme.origin,
    aud: at.acmeClient.clientId,
    iat,
    exp: iat + 120,
    jti: `jti-${(count += 1)}`,
    events: { [EVENT]: {} },
    ...of,
  };
}

async function send(body: string | URLSearchParams, path = '/oidc/acme/backchannel-logout', url = at.app.url) {
  const response = await fetch(`${url}${path}`, { method: 'POST', body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
}
const tell = (logoutToken: string, path?: string, url?: string) =>
  send(new URLSearchParams({ logout_token: logoutToken }), path, url);

/** Nothing ended, and why is in the audit log. */
async function refused(answer: Awaited<ReturnType<typeof tell>>, browser: HttpBrowser, reason: string): Promise<void> {
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  expect(answer.headers.get('cache-control')).toBe('no-store');
  const rows = await at.app.sql('select action, reason from audit_events where request_id = $1', [
    answer.body.request_id,
  ]);
  expect(rows).toEqual([{ action: 'user.backchannel_logout_refused', reason }]);
  expect(await isSignedIn(browser)).toBe(true);
}

describe('a logout token', () => {
  it('that is good ends the session, by sid, by sub or by both, and is answered with an empty 200', async () => {
    for (const names of [['sid'], ['sub'], ['sid', 'sub']] as const) {
      const { browser, ...session } = await aSession();
      const named = Object.fromEntries(names.map((name) => [name, session[name]]));
      const answer = await tell(await at.acme.logoutToken(claimsOf(named)));
      expect([answer.status, answer.body]).toEqual([200, undefined]);
      expect(answer.headers.get('cache-control')).toBe('no-store');
      expect(await isSignedIn(browser)).toBe(false);
    }
  });

  it.each<[string, string, LogoutForge & { claims?: Record<string, unknown> }]>([
    ['that is not signed', 'logout_token_signature', { unsigned: true }],
    ['signed with our client secret', 'logout_token_signature', { hmac: 'secret' }],
    ['signed by a stranger in the name of the company key', 'logout_token_signature', { key: 'stranger' }],
    ['signed by a key that the company does not have', 'logout_token_signature', { key: 'unknown' }],
    ['with an extension that must be understood', 'logout_token_signature', { header: { crit: ['x'], x: 1 } }],
    ['of the type of an access token', 'logout_token_malformed', { header: { typ: 'at+jwt' } }],
    ['of a type that is no text', 'logout_token_malformed', { header: { typ: 7 } }],
    ['of another issuer', 'logout_token_issuer', { claims: { iss: 'http://localhost:1' } }],
    ['of an issuer that differs by a slash', 'logout_token_issuer', { claims: { iss: 'slash' } }],
    ['without an issuer', 'logout_token_issuer', { remove: ['iss'] }],
    ['for another client', 'logout_token_audience', { claims: { aud: 'another' } }],
    ['for several others', 'logout_token_audience', { claims: { aud: ['another', 'third'] } }],
    ['for nobody', 'logout_token_audience', { remove: ['aud'] }],
    ['that has expired', 'logout_token_time', { claims: { exp: -1 } }],
    ['without an end', 'logout_token_time', { remove: ['exp'] }],
    ['that ends never', 'logout_token_time', { claims: { exp: 'never' } }],
    ['without a beginning', 'logout_token_time', { remove: ['iat'] }],
    ['of more than five minutes ago', 'logout_token_time', { claims: { iat: -301 } }],
    ['of the future', 'logout_token_time', { claims: { iat: 90 } }],
    ['without events', 'logout_token_event', { remove: ['events'] }],
    ['about another event', 'logout_token_event', { claims: { events: { 'https://other.example': {} } } }],
    ['with the event as text', 'logout_token_event', { claims: { events: { [EVENT]: 'yes' } } }],
    ['with the events as a list', 'logout_token_event', { claims: { events: [EVENT] } }],
    ['with a nonce', 'logout_token_nonce', { claims: { nonce: 'n' } }],
    ['with an empty nonce', 'logout_token_nonce', { claims: { nonce: '' } }],
    ['about nobody', 'logout_token_subject', { remove: ['sub', 'sid'] }],
    ['about a list', 'logout_token_subject', { claims: { sid: ['a', 'b'] } }],
    ['about an empty name', 'logout_token_subject', { claims: { sub: '' } }],
    ['without an id', 'logout_token_jti', { remove: ['jti'] }],
    ['with an id of 257 bytes', 'logout_token_jti', { claims: { jti: 'x'.repeat(257) } }],
    ['with an id that PostgreSQL does not store', 'logout_token_jti', { claims: { jti: 'a\0b' } }],
  ])('is refused: one %s', async (_, reason, { claims = {}, ...forge }) => {
    const { browser, ...session } = await aSession();
    const now = Math.floor(at.app.clock.now().getTime() / 1000);
    const wrong = { ...claims };
    if (wrong['iss'] === 'slash') wrong['iss'] = `${at.acme.origin}/`;
    for (const time of ['iat', 'exp']) if (typeof wrong[time] === 'number') wrong[time] = now + Number(wrong[time]);
    const hmac = forge.hmac === undefined ? {} : { hmac: at.acmeClient.clientSecret };
    const token = await at.acme.logoutToken({ ...claimsOf(session), ...wrong }, { ...forge, ...hmac });
    await refused(await tell(token), browser, reason);
  });

  it.each([
    ['no JWT', () => 'nonsense'],
    ['an encrypted one', () => 'a.b.c.d.e'],
    ['one with a member twice', (good: string) => replacedPayload(good, (json) => `{"sub":"other",${json.slice(1)}`)],
    ['one with padding', (good: string) => `${good}=`],
    ['one with another payload', (good: string) => replacedPayload(good, (json) => json.replace('jti-', 'jtj-'))],
  ])('is refused: %s', async (what, change) => {
    const { browser, ...session } = await aSession();
    const token = change(await at.acme.logoutToken(claimsOf(session)));
    const reason = what === 'one with another payload' ? 'logout_token_signature' : 'logout_token_malformed';
    await refused(await tell(token), browser, reason);
  });

  it('works once: again it is refused, on another replica too, and by then would end a later session', async () => {
    const other = await startTestApp({
      beside: at.app,
      clock: at.app.clock,
      yaml: at.yaml,
    });
    try {
      const { browser, sub } = await aSession();
      const token = await at.acme.logoutToken(claimsOf({ sub }));
      expect((await tell(token)).status).toBe(200);
      expect(await isSignedIn(browser)).toBe(false);
      const later = new HttpBrowser();
      await arrive(at, later, sub);
      await refused(await tell(token), later, 'logout_token_replayed');
      await refused(await tell(token, undefined, other.url), later, 'logout_token_replayed');
    } finally {
      await other.close();
    }
  });

  it('used at once by many works once', async () => {
    const { sub } = await aSession();
    const token = await at.acme.logoutToken(claimsOf({ sub }));
    const answers = await Promise.all(Array.from({ length: 12 }, () => tell(token)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 400)).toHaveLength(11);
  });

  it('that was refused has not spent its id', async () => {
    const { browser, ...session } = await aSession();
    const claims = claimsOf(session);
    await refused(await tell(await at.acme.logoutToken({ ...claims, aud: 'x' })), browser, 'logout_token_audience');
    expect((await tell(await at.acme.logoutToken(claims))).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(false);
  });
});

describe('the back channel of one provider', () => {
  it('takes no token of another, and that of another ends nothing here', async () => {
    const { browser, ...session } = await aSession();
    const token = await at.acme.logoutToken(claimsOf(session));
    const wrong = await tell(token, '/oidc/globex/backchannel-logout');
    await refused(wrong, browser, 'logout_token_signature');
    // A token that globex signs well, about a person and a session of acme.
    const own = { iss: at.globex.origin, aud: at.globexClient.clientId };
    const foreign = await at.globex.logoutToken({ ...claimsOf(session), ...own });
    expect((await tell(foreign, '/oidc/globex/backchannel-logout')).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(true);
    expect((await audited(at.app, 'user.backchannel_logout'))[0]?.detail).toEqual({ provider: 'globex', sessions: 0 });
  });

  it('ends of somebody whom two providers know only what began at it', async () => {
    const { browser, sub } = await aSession();
    const [{ id } = { id: '' }] = await at.app.sql<{ id: string }>(
      'select user_id as id from identities where subject = $1',
      [sub],
    );
    await at.app.admin('POST', `/admin/users/${id}/identities`, { issuer: at.globex.origin, subject: sub });
    const other = new HttpBrowser();
    expect((await arrive(at, other, sub, 'globex')).status).toBe(303);
    const own = { iss: at.globex.origin, aud: at.globexClient.clientId };
    const token = await at.globex.logoutToken({ ...claimsOf({ sub }), ...own });
    expect((await tell(token, '/oidc/globex/backchannel-logout')).status).toBe(200);
    expect([await isSignedIn(browser), await isSignedIn(other)]).toEqual([true, false]);
  });

  it('ends nothing when the session is another person’s', async () => {
    const [mine, theirs] = [await aSession(), await aSession()];
    const token = await at.acme.logoutToken(claimsOf({ sub: mine.sub, sid: theirs.sid }));
    expect((await tell(token)).status).toBe(200);
    expect([await isSignedIn(mine.browser), await isSignedIn(theirs.browser)]).toEqual([true, true]);
  });

  it('is not there for a provider that is not, and takes POST of a form only', async () => {
    expect((await tell('x', '/oidc/nowhere/backchannel-logout')).status).toBe(404);
    expect((await tell('x', '/oidc/backchannel-logout')).status).toBe(404);
    const get = await fetch(`${at.app.url}/oidc/acme/backchannel-logout`);
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await send('logout_token=x')).status).toBe(415);
    expect((await send(new URLSearchParams({ other: 'x' }))).body).toMatchObject({ error: 'invalid_request' });
    expect((await tell('x'.repeat(17 * 1024))).status).toBe(400);
    expect((await tell('x'.repeat(70 * 1024))).status).toBe(413);
  });
});

describe('keys', () => {
  it('that the company changed without notice are learned; while they are not to be had, it is a 503 and nothing is used up', async () => {
    const { browser, ...session } = await aSession();
    // The set is read now, for a key that is not in it, by a clock that stands still from here on.
    vi.useFakeTimers({ toFake: ['Date'], now: new Date().getTime() + 61_000 });
    const strange = await at.acme.logoutToken(claimsOf(session), { key: 'unknown' });
    await refused(await tell(strange), browser, 'logout_token_signature');
    await at.acme.set({ rotated: true });
    const token = await at.acme.logoutToken(claimsOf(session));
    // It is not asked for again at once.
    await refused(await tell(token), browser, 'logout_token_signature');
    vi.setSystemTime(new Date().getTime() + 61_000);
    await at.acme.set({ rotated: true, away: true });
    const away = await tell(token);
    expect([away.status, away.body.error]).toEqual([503, 'temporarily_unavailable']);
    expect(away.headers.get('retry-after')).toMatch(/^[1-9]\d*$/);
    await at.acme.set({ away: false });
    expect((await tell(token)).status).toBe(200);
    expect(await isSignedIn(browser)).toBe(false);
    vi.useRealTimers();
  });

  it('are not replaced by what is no key set, whatever status it comes with', async () => {
    await at.acme.set({ rotated: false });
    const refreshed = async (): Promise<void> => {
      const { id } = (await at.app.admin('POST', '/admin/jobs', { name: 'sign-in-key-refresh' })).body;
      const state = async (): Promise<string> => (await at.app.admin('GET', `/admin/jobs/${id}`)).body.state;
      await expect.poll(state).toBe('completed');
    };
    await refreshed();
    const session = await aSession();
    const token = await at.acme.logoutToken(claimsOf({ sub: session.sub }));
    await at.acme.set({ maintenance: true });
    await refreshed();
    const other = await startTestApp({ beside: at.app, clock: at.app.clock, yaml: at.yaml });
    try {
      expect((await tell(token, undefined, other.url)).status).toBe(200);
      expect(await isSignedIn(session.browser)).toBe(false);
      await at.app.sql('delete from kept_documents');
      const unread = await at.acme.logoutToken(claimsOf({ sub: session.sub }));
      expect((await tell(unread, undefined, other.url)).status).toBe(503);
    } finally {
      await at.acme.set({ maintenance: false });
      await other.close();
    }
  });

  it('are known to a replica that starts while the company is away, for an hour, and judge as anywhere', async () => {
    await at.acme.set({ rotated: false });
    const { id } = (await at.app.admin('POST', '/admin/jobs', { name: 'sign-in-key-refresh' })).body;
    const state = async (): Promise<string> => (await at.app.admin('GET', `/admin/jobs/${id}`)).body.state;
    await expect.poll(state).toBe('completed');
    const [first, second, third] = [await aSession(), await aSession(), await aSession()];
    const token = await at.acme.logoutToken(claimsOf({ sub: first.sub }));
    const [header = '', payload = '', signature = ''] = token.split('.');
    const forged = `${header}.${payload}.${signature.replace(/^./, (letter) => (letter === 'A' ? 'B' : 'A'))}`;
    await at.acme.set({ away: true });
    const other = await startTestApp({ beside: at.app, clock: at.app.clock, yaml: at.yaml });
    try {
      expect((await tell(forged, undefined, other.url)).body).toMatchObject({ error: 'invalid_request' });
      expect((await tell(token, undefined, other.url)).status).toBe(200);
      expect(await isSignedIn(first.browser)).toBe(false);
      await at.acme.set({ away: false, rotated: true });
      const unknown = await at.acme.logoutToken(claimsOf({ sub: second.sub }));
      await at.acme.set({ away: true });
      expect((await tell(unknown, undefined, other.url)).status).toBe(503);
      await at.app.sql(`update kept_documents set fetched_at = fetched_at - interval '61 minutes'`);
      await at.acme.set({ rotated: false });
      const late = await at.acme.logoutToken(claimsOf({ sub: third.sub }));
      expect((await tell(late, undefined, other.url)).status).toBe(503);
    } finally {
      await at.acme.set({ away: false });
      await other.close();
    }
  });
});

function replacedPayload(jws: string, change: (json: string) => string): string {
  const [header = '', payload = '', signature = ''] = jws.split('.');
  const changed = change(Buffer.from(payload, 'base64url').toString());
  return `${header}.${Buffer.from(changed).toString('base64url')}.${signature}`;
}
