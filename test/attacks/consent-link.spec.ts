import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aResource, aUser, signIn, type ClientFixture, type ResourceFixture, type UserFixture } from '../builders.js';
import { DESK_REDIRECT, documentHost, documentsFromHere, type DocumentHost } from '../document-host.js';
import { anAgent, exchange, letExchange, startExchangingApp, started, type Started } from '../exchanges.js';
import { HttpBrowser, type Visit } from '../http-browser.js';
import { recorded } from '../recorded.js';

let app: TestApp;
let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
  app = await startExchangingApp(documentsFromHere);
});
afterAll(async () => {
  await app.close();
  await host.close();
});

let at: Started;
let target: ResourceFixture;
let gateway: ClientFixture;
let url: string;
let browser: HttpBrowser;

beforeEach(async () => {
  [at, target, gateway] = await Promise.all([started(app), aResource(app), anAgent(app)]);
  await letExchange(app, target, gateway);
  url = (await ask()).body.consent_url;
  browser = new HttpBrowser();
});

const ask = (more = {}) => exchange(app, gateway, at.token, { resource: target.uri, scope: 'notes:read', ...more });

async function open(by: UserFixture = at.user, link = url, with_ = browser): Promise<Visit> {
  const page = await with_.follow(await with_.get(link), app.url);
  return page.html.includes('name="password"') ? with_.follow(await signIn(with_, page, by), app.url) : page;
}

const press = (fields: Record<string, string>, by = browser): Promise<Visit> =>
  by.post(`${app.url}/consent`, { decision: 'allow', ...fields });

const stored = () =>
  app.sql<{ scopes: string[] }>(
    'select scopes from consents where resource_id = $1 and superseded_at is null and revoked_at is null',
    [target.id],
  );

/** The page says no, the audit says why, and nothing was allowed: the same request is still refused. */
async function expectNothing(visit: Visit, status: number, reason: string): Promise<void> {
  expect([visit.status, visit.location]).toEqual([status, undefined]);
  expect(await recorded(app, visit.response)).toMatchObject([{ action: 'authorize.denied', reason }]);
  expect(await stored()).toEqual([]);
  expect((await ask()).body).not.toHaveProperty('access_token');
}

describe('a consent link', () => {
  it('is worth nothing to whom it was forwarded, before or after they sign in', async () => {
    const other = await aUser(app);
    await expectNothing(await open(other), 403, 'link_of_another_account');
    const form = (await open(at.user, url, new HttpBrowser())).form('decision');
    await expectNothing(await press(form), 403, 'link_of_another_account');
  });

  it('is not answered by whoever signs in between the page and the answer', async () => {
    const form = (await open()).form('decision');
    const login = await browser.get(`${app.url}/login?request=x`);
    await signIn(browser, login, await aUser(app));
    await expectNothing(await press(form), 403, 'link_of_another_account');
  });

  it('is not answered from the outside: another session of the same person, no token, another origin', async () => {
    const form = (await open()).form('decision');
    const again = new HttpBrowser();
    await open(at.user, url, again);
    await expectNothing(await press(form, again), 403, 'csrf_mismatch');
    const { csrf: _, ...bare } = form;
    await expectNothing(await press(bare), 403, 'csrf_mismatch');
    const foreign = await browser.post(
      `${app.url}/consent`,
      { ...form, decision: 'allow' },
      { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' },
    );
    await expectNothing(foreign, 403, 'cross_site_post');
  });

  it('allows what it asks for and nothing that was slipped into the form', async () => {
    const form = (await open()).form('decision');
    expect(Object.keys(form).filter((name) => name.startsWith('scope:'))).toEqual(['scope:notes:read']);
    const done = await press({ ...form, 'scope:notes:write': 'on', resource: at.resource.uri, client_id: gateway.id });
    expect(done.status).toBe(200);
    expect(await stored()).toEqual([{ scopes: ['notes:read'] }]);
    expect((await ask({ scope: 'notes:write' })).body.cause).toBe('scope_insufficient');
  });

  it('takes back what is unticked, and asks each time it is opened: nothing is given in silence', async () => {
    const wide = (await ask({ scope: 'notes:read notes:write' })).body.consent_url;
    await press((await open(at.user, wide)).form('decision'));
    expect(await stored()).toEqual([{ scopes: ['notes:read', 'notes:write'] }]);
    const again = await open(at.user, wide);
    expect([again.status, again.html.includes('already allowed')]).toEqual([200, true]);
    const { 'scope:notes:write': _, ...less } = again.form('decision');
    await press(less);
    expect(await stored()).toEqual([{ scopes: ['notes:read'] }]);
  });

  it('cannot be another thing: no authorization request, no part of one, no other link', async () => {
    const sealed = new URL(url).searchParams.get('request')!;
    const [version, ...rest] = sealed.split('.');
    await open();
    const wrong = [sealed.slice(0, -1), sealed.toUpperCase(), `v2.${rest.join('.')}`, `${version}.${'A'.repeat(200)}`];
    for (const request of wrong) {
      const visit = await browser.get(`${app.url}/consent?${new URLSearchParams({ request })}`);
      await expectNothing(visit, 403, 'flow_cookie_mismatch');
      expect(visit.html).toContain('This page was opened in another browser, or its link was changed');
      expect(visit.html).not.toContain('sign-in');
    }
    const huge = await browser.get(`${app.url}/consent?request=${'A'.repeat(15_000)}`);
    await expectNothing(huge, 403, 'flow_cookie_mismatch');
  });

  const ends: [what: string, end: () => Promise<{ status: number }>, status: number, reason: string][] = [
    [
      'the application is suspended',
      () => app.admin('PATCH', `/admin/clients/${at.client.id}/suspend`),
      400,
      'client_suspended',
    ],
    [
      'the application is gone',
      () => app.admin('DELETE', `/admin/clients/${at.client.id}?force=true`),
      400,
      'client_unknown',
    ],
    ['the resource is gone', () => app.admin('DELETE', `/admin/resources/${target.id}`), 400, 'resource_unknown'],
  ];
  it.each(ends)('is a page of refusal when %s meanwhile', async (_, end, status, reason) => {
    const form = (await open()).form('decision');
    expect([200, 204]).toContain((await end()).status);
    await expectNothing(await press(form), status, reason);
  });

  it('is a page that asks to sign in when the account was disabled meanwhile', async () => {
    const form = (await open()).form('decision');
    await app.admin('PATCH', `/admin/users/${at.user.id}/disable`);
    expect((await press(form)).location).toContain('/login?request=');
    expect(await stored()).toEqual([]);
  });

  it('[A21] warns of a name that any program on this computer can claim', async () => {
    const id = host.put('/desk.json');
    const client = { id, redirectUri: DESK_REDIRECT.replace('127.0.0.1', '127.0.0.1:49152') };
    at = await started(app, { client });
    const page = await open(at.user, (await ask()).body.consent_url);
    expect([page.status, page.html.includes('can claim this name')]).toEqual([200, true]);
    expect((await press(page.form('decision'))).status).toBe(200);
    expect((await ask()).body.scope).toBe('notes:read');
  });
});
