import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aFlow,
  aUser,
  authorizeUrl,
  pkce,
  redeem,
  signIn,
  type Flow,
  type ResourceFixture,
} from '../builders.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { recorded } from '../recorded.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
});
afterAll(() => app.close());

let flow: Flow;
let browser: HttpBrowser;
let verifier: string;
/** The consent page as the person sees it, and its form with everything as it stands. */
let page: Visit;
let fields: Record<string, string>;

const url = (path: string): string => `${app.issuer}${path}`;

beforeEach(async () => {
  flow = await aFlow(app);
  browser = new HttpBrowser();
  const { challenge, ...own } = pkce();
  verifier = own.verifier;
  page = await consentPage(challenge);
  fields = { ...page.form('decision'), decision: 'allow' };
});

async function consentPage(challenge: string, parameters: Record<string, string> = {}): Promise<Visit> {
  const visit = await browser.follow(await browser.get(authorizeUrl(flow, challenge, parameters)), app.issuer);
  return visit.html.includes('name="decision"')
    ? visit
    : browser.follow(await signIn(browser, visit, flow.user), app.issuer);
}

const press = (changed: Record<string, string> = {}, headers: Record<string, string> = {}, by = browser) =>
  by.post(url('/consent'), { ...fields, ...changed }, headers);

async function expectNothingStored(): Promise<void> {
  for (const table of ['authorization_codes', 'consents', 'families'])
    expect(await app.sql(`select * from ${table} where client_id = $1`, [flow.client.id])).toEqual([]);
}

async function expectPage(visit: Visit, status: number, text: string, reason: string): Promise<void> {
  expect([visit.status, visit.location]).toEqual([status, undefined]);
  expect(visit.html).toContain(`${text}.</`);
  expect(await recorded(app, visit.response)).toMatchObject([{ action: 'authorize.denied', reason }]);
  await expectNothingStored();
}

const expectNotOurForm = (visit: Visit, reason: string): Promise<void> =>
  expectPage(visit, 403, 'This form does not come from a page that this server gave to this session', reason);

const expectOtherBrowser = (visit: Visit, reason: string): Promise<void> =>
  expectPage(visit, 403, 'This page was opened in another browser, or its link was changed', reason);

describe('[B3] a flow that began in another browser', () => {
  it('is not shown to the same person there, nor to anybody without cookies', async () => {
    const elsewhere = new HttpBrowser();
    await signIn(elsewhere, await elsewhere.get(url('/login')), flow.user);
    for (const other of [elsewhere, new HttpBrowser()])
      await expectOtherBrowser(await other.get(page.url), 'flow_cookie_mismatch');
  });

  it('is not finished there with a form that was carried over, not even with the session', async () => {
    const elsewhere = new HttpBrowser();
    await signIn(elsewhere, await elsewhere.get(url('/login')), flow.user);
    await expectOtherBrowser(await press({}, {}, elsewhere), 'flow_cookie_mismatch');
    for (const [name, value] of browser.cookies) if (name.includes('session')) elsewhere.cookies.set(name, value);
    await expectOtherBrowser(await press({}, {}, elsewhere), 'flow_cookie_mismatch');
  });

  it('ends at the sign-in page of a victim to whom a link is sent', async () => {
    const victim = new HttpBrowser();
    const sealed = new URL(page.url).searchParams.get('request') ?? '';
    const login = await victim.get(url(`/login?request=${sealed}`));
    const signedIn = await signIn(victim, login, await aUser(app));
    await expectOtherBrowser(await victim.get(signedIn.location ?? ''), 'flow_cookie_mismatch');
  });
});

describe('a request that has been sealed', () => {
  it('is good for ten minutes, at the page and at the button', async () => {
    app.clock.advance(599);
    expect((await browser.get(page.url)).html).toContain('name="decision"');
    app.clock.advance(2);
    const [shown, pressed] = [await browser.get(page.url), await press()];
    for (const visit of [shown, pressed]) await expectPage(visit, 400, 'This request has expired', 'request_expired');
  });

  it('is refused after a change of any kind', async () => {
    const sealed = fields['request'] ?? '';
    const flipped = (at: number): string =>
      sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    const middle = Math.floor(sealed.length / 2);
    const forged = [flipped(0), flipped(8), flipped(middle), flipped(sealed.length - 4)];
    for (const request of [...forged, sealed.slice(0, -8), `${sealed}AAAA`, 'AAAA', '{}']) {
      await expectOtherBrowser(await press({ request }), 'flow_cookie_mismatch');
      await expectOtherBrowser(
        await browser.get(url(`/consent?${new URLSearchParams({ request })}`)),
        'flow_cookie_mismatch',
      );
    }
  });

  it('must be there', async () => {
    await expectPage(await press({ request: '' }), 400, 'Request is required', 'parameter_missing');
    await expectPage(await browser.get(url('/consent')), 400, 'Request is required', 'parameter_missing');
  });

  it('comes once', async () => {
    const visit = await browser.get(`${page.url}&request=x`);
    await expectPage(visit, 400, 'Request must not be sent more than once', 'parameter_repeated');
  });
});

describe('[B3] a form that is not of this page', () => {
  it('is refused with no token, a wrong one, and that of the sign-out form on the same page', async () => {
    const logout = /<form[^>]*action="\/logout"[\s\S]*?name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? 'none';
    expect(logout).toHaveLength(43);
    for (const csrf of ['', 'x', logout, fields['csrf']?.slice(1) ?? ''])
      await expectNotOurForm(await press({ csrf }), 'csrf_mismatch');
  });

  it('is refused with the token of another request in the same browser', async () => {
    const other = await consentPage(pkce().challenge, { scope: 'notes:read' });
    await expectNotOurForm(await press({ csrf: other.form('decision')['csrf'] ?? '' }), 'csrf_mismatch');
  });

  it("is refused with the token of another person's page", async () => {
    const mine = browser;
    browser = new HttpBrowser();
    flow = { ...flow, user: await aUser(app) };
    const other = await consentPage(pkce().challenge);
    await expectNotOurForm(await press({ csrf: other.form('decision')['csrf'] ?? '' }, {}, mine), 'csrf_mismatch');
  });

  it.each<[string, Record<string, string>]>([
    ['another origin', { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }],
    ['an origin that only begins as ours', { origin: 'http://localhost.evil.example' }],
    ['another port of this host', { origin: 'http://localhost:1', 'sec-fetch-site': 'same-site' }],
    ['a sandboxed frame', { origin: 'null', 'sec-fetch-site': 'cross-site' }],
    ['a null origin, and nothing that tells whose', { origin: 'null', 'sec-fetch-site': 'none' }],
    ['a site that the browser calls another', { 'sec-fetch-site': 'cross-site' }],
    ['a neighbouring site', { 'sec-fetch-site': 'same-site' }],
  ])('is refused from %s, though its token is right', async (_, headers) => {
    await expectNotOurForm(await press({}, headers), 'cross_site_post');
  });

  it('is taken from our own page, which by its referrer policy has a null origin', async () => {
    const visit = await press({}, { origin: 'null', 'sec-fetch-site': 'same-origin' });
    expect(visit.location).toContain(`${flow.client.redirectUri}?code=`);
  });
});

describe('another person at the same browser', () => {
  it('does not allow what was shown to the one before', async () => {
    const logout = { csrf: /action="\/logout"[\s\S]*?name="csrf" value="([^"]+)"/.exec(page.html)?.[1] ?? '' };
    expect((await browser.post(url('/logout'), logout)).location).toBe(url('/login'));
    expect((await press()).location).toContain(url('/login?request='));
    await signIn(browser, await browser.get(url('/login')), await aUser(app));
    await expectNotOurForm(await press(), 'csrf_mismatch');
  });

  it('is asked to sign in when the one before was disabled or the session has ended', async () => {
    await app.admin('PATCH', `/admin/users/${flow.user.id}/disable`);
    expect((await press()).location).toContain(url('/login?request='));
    await expectNothingStored();
  });
});

describe('what is no longer so when the person presses Allow', () => {
  const unknown = 'This application is not known here';
  const client = (): string => `/admin/clients/${flow.client.id}`;
  const resource = (): string => `/admin/resources/${flow.resource.id}`;

  it.each<[string, () => Promise<unknown>, string, string]>([
    ['the client was suspended', () => app.admin('PATCH', `${client()}/suspend`), unknown, 'client_suspended'],
    ['the client was revoked', () => app.admin('PATCH', `${client()}/revoke`), unknown, 'client_revoked'],
    ['the client was deleted', () => app.admin('DELETE', client()), unknown, 'client_unknown'],
    [
      'the redirect URI was taken off the list',
      () => app.admin('PATCH', client(), { redirect_uris: ['https://new.example/'] }),
      'redirect_uri is not registered for this client',
      'redirect_not_registered',
    ],
  ])('[A14] gets a page, not a redirect: %s', async (_, change, text, reason) => {
    await change();
    await expectPage(await press(), 400, text, reason);
    await expectPage(await browser.get(page.url), 400, text, reason);
  });

  it.each<[string, () => Promise<unknown>, string, (of: ResourceFixture) => string, string]>([
    [
      'the ceiling was lowered',
      () => app.admin('PATCH', client(), { scope: 'notes:read' }),
      'invalid_scope',
      () => 'scope notes:write exceeds what this client may request',
      'scope_above_ceiling',
    ],
    [
      'a scope was taken out of the resource',
      () => app.admin('PATCH', resource(), { scopes: [{ name: 'notes:read', description: '' }] }),
      'invalid_scope',
      ({ uri }) => `scope notes:write is not declared by resource ${uri}`,
      'scope_not_in_catalog',
    ],
    [
      'the resource has another URI',
      () => app.admin('PATCH', resource(), { uri: `${flow.resource.uri}/v2-of-it` }),
      'invalid_target',
      () => 'resource is not registered',
      'resource_unknown',
    ],
    [
      'the resource is gone',
      () => app.admin('DELETE', resource()),
      'invalid_target',
      () => 'resource is not registered',
      'resource_unknown',
    ],
  ])('goes back to the client without a code: %s', async (_, change, error, description, reason) => {
    await change();
    const visit = await press();
    const answer = new URL(visit.location ?? '').searchParams;
    expect(Object.fromEntries(answer)).toMatchObject({
      error,
      error_description: description(flow.resource),
      state: 'a-state',
      iss: app.issuer,
    });
    expect(await recorded(app, visit.response)).toMatchObject([{ action: 'authorize.denied', reason }]);
    await expectNothingStored();
  });

  it('[A14] gets a page when the client is suspended while the decision is being stored', async () => {
    const { id } = flow.client;
    const visit = await whileHeld(
      app,
      `update clients set status = 'suspended', version = version + 1 where id = '${id}'`,
      () => press(),
      async () => undefined,
    );
    await expectPage(visit, 400, unknown, 'client_suspended');
  });

  it('gives no code when the person is disabled while the decision is being stored', async () => {
    const visit = await whileHeld(
      app,
      `update users set status = 'disabled', version = version + 1 where id = '${flow.user.id}'`,
      () => press(),
      async () => undefined,
    );
    expect([visit.status, visit.location]).toEqual([503, undefined]);
    await expectNothingStored();
  });
});

describe('a client that is deleted while the person presses Allow', () => {
  const remove = () => app.admin('DELETE', `/admin/clients/${flow.client.id}?force=true`);
  const inForce = () =>
    app.sql('select id from consents where client_id = $1 and superseded_at is null and revoked_at is null', [
      flow.client.id,
    ]);

  it('leaves no consent behind, not even one that was being given when the deletion began', async () => {
    let removed: ReturnType<typeof remove> | undefined;
    const visit = await whileHeld(
      app,
      `select from users where id = '${flow.user.id}' for update`,
      () => press(),
      async (untilWaiting) => {
        removed = remove();
        await untilWaiting(2);
      },
    );
    expect(visit.location).toContain('code=');
    expect((await removed)?.status).toBe(204);
    expect(await inForce()).toEqual([]);
  });

  it('is gone with its consents, or the person is told to try again; neither of the two fails', async () => {
    for (let round = 0; round < 8; round += 1) {
      flow = { ...flow, client: await aClient(app) };
      page = await consentPage(pkce().challenge);
      fields = { ...page.form('decision'), decision: 'allow' };
      await press();
      const [visit, again, { status }] = await Promise.all([press(), press(), remove()]);
      for (const answer of [visit.status, again.status]) expect([303, 400, 503]).toContain(answer);
      expect([204, 503]).toContain(status);
      if (status === 204) expect(await inForce()).toEqual([]);
    }
  });
});

describe('[B12] a decision', () => {
  const codeOf = (visit: Visit): string => new URL(visit.location ?? '').searchParams.get('code') ?? 'none';

  it('gives no scope that was not offered, whatever boxes the form claims', async () => {
    const proof = pkce();
    page = await consentPage(proof.challenge, { scope: 'notes:read' });
    fields = { ...page.form('decision'), decision: 'allow' };
    const visit = await press({ 'scope:notes:write': 'on', 'scope:admin': 'on', 'scope:': 'on', scope: 'notes:write' });
    const { body } = await redeem({ ...flow, code: codeOf(visit), verifier: proof.verifier });
    expect(body.scope).toBe('notes:read');
    expect(await app.sql('select scopes from consents where client_id = $1', [flow.client.id])).toEqual([
      { scopes: ['notes:read'] },
    ]);
  });

  it.each<[string, Record<string, string>]>([
    ['Deny', { decision: 'deny' }],
    ['no button', { decision: '' }],
    ['an unknown button', { decision: 'Allow' }],
    ['Allow with no box ticked', { 'scope:notes:read': '', 'scope:notes:write': '' }],
  ])('is a No: %s', async (_, changed) => {
    const kept = Object.entries({ ...fields, ...changed }).filter(([, value]) => value !== '');
    const visit = await browser.post(url('/consent'), Object.fromEntries(kept));
    expect(Object.fromEntries(new URL(visit.location ?? '').searchParams)).toMatchObject({
      error: 'access_denied',
      error_description: 'the user did not allow this',
      state: 'a-state',
      iss: app.issuer,
    });
    expect(await recorded(app, visit.response)).toMatchObject([{ action: 'consent.denied', actor_id: flow.user.id }]);
    await expectNothingStored();
  });

  it('takes a form once, as a form: not JSON, not a link, no parameter twice', async () => {
    const json = await browser.post(url('/consent'), fields, { 'content-type': 'application/json' });
    expect([json.status, json.location]).toEqual([415, undefined]);
    const link = await browser.get(url(`/consent?${new URLSearchParams(fields)}`));
    expect([link.status, link.location]).toEqual([200, undefined]);
    const twice = await browser.post(url('/consent?decision=allow'), { ...fields, decision: 'deny' });
    expect(new URL(twice.location ?? '').searchParams.get('error')).toBe('access_denied');
    await expectNothingStored();
  });

  it('is worth its code once: pressing Allow again makes another code, and one consent is in force', async () => {
    const first = codeOf(await press());
    const second = codeOf(await press());
    expect(second).not.toBe(first);
    const inForce = 'select id from consents where client_id = $1 and superseded_at is null and revoked_at is null';
    expect(await app.sql(inForce, [flow.client.id])).toHaveLength(1);
    expect((await redeem({ ...flow, code: second, verifier })).status).toBe(200);
  });

  it('[B19] is answered with 303, without a referrer and not to be stored', async () => {
    const { status, response } = await press();
    expect(status).toBe(303);
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('referrer-policy')).toBe('no-referrer');
  });

  it('for one client is none for another of the same name', async () => {
    await press();
    flow = { ...flow, client: await aClient(app) };
    expect((await consentPage(pkce().challenge)).html).toContain('name="decision"');
  });
});
