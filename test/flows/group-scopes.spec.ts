import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aFlow,
  aResource,
  audited,
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type Flow,
} from '../builders.js';
import { aSignInProvider, mapGroup, standsAt } from '../groups.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let beside: TestApp;
let company: string;
beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  beside = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' }, beside: app, clock: app.clock });
  company = await aSignInProvider(app);
});
afterAll(async () => {
  await beside?.close();
  await app?.close();
});

const PATH = '/admin/group-scopes';
const policyEpoch = async () => Number((await app.sql('select epoch from policy_epoch'))[0]?.epoch);

/** The consent page, or where the browser is sent instead. */
async function asked(flow: Flow, parameters: Record<string, string | undefined> = {}): Promise<Visit> {
  const browser = new HttpBrowser();
  const login = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge, parameters)), app.url);
  return browser.follow(await signIn(browser, login, flow.user), app.url);
}

const offered = ({ html }: Visit): string[] =>
  [...html.matchAll(/type="checkbox" name="[^"]*?(notes:\w+)"/g)].map(([, name = '']) => name);

describe('an operator says what a group gives', () => {
  it('and it is shown, replaced in place, and taken away; each time the policy epoch moves on', async () => {
    const { slug } = await aResource(app);
    const mapping = { provider: company, group: '/staff, and "more"', resource: slug, scopes: ['notes:read'] };
    const before = await policyEpoch();
    const { status, body } = await app.admin('POST', PATH, mapping);
    expect(status).toBe(201);
    expect(body).toEqual({
      ...mapping,
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      created_at: expect.stringMatching(/Z$/),
      updated_at: expect.stringMatching(/Z$/),
    });
    expect(await policyEpoch()).toBe(before + 1);
    const again = await app.admin('POST', PATH, { ...mapping, scopes: ['notes:write'] });
    expect([again.status, again.body]).toEqual([200, { ...body, scopes: ['notes:write'] }]);
    expect((await app.admin('GET', `${PATH}?resource=${slug}`)).body).toEqual({ group_scopes: [again.body] });
    expect((await app.admin('GET', `${PATH}?provider=nobody`)).body).toEqual({ group_scopes: [] });
    expect((await app.admin('DELETE', `${PATH}/${body.id}`)).status).toBe(204);
    expect((await app.admin('DELETE', `${PATH}/${body.id}`)).body.code).toBe('group_scope_not_found');
    expect(await policyEpoch()).toBe(before + 3);
    const place = { id: body.id, provider: company, group: mapping.group, resource: slug };
    expect((await audited(app, 'group_scope.set')).slice(0, 2).map(({ detail }) => detail)).toEqual([
      { ...place, scopes: ['notes:write'], former: ['notes:read'] },
      { ...place, scopes: ['notes:read'] },
    ]);
    expect((await audited(app, 'group_scope.deleted'))[0]?.detail).toEqual({ ...place, scopes: ['notes:write'] });
  });

  it('and it goes with its resource', async () => {
    const resource = await aResource(app);
    await mapGroup(app, company, 'staff', resource, 'notes:read');
    expect((await app.admin('DELETE', `/admin/resources/${resource.id}`)).status).toBe(204);
    expect(await app.sql('select * from group_scopes where resource_id = $1', [resource.id])).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['of a provider that is not there', { provider: 'nowhere' }, 'provider nowhere is no sign-in provider'],
    ['of the default provider, which is not on', { provider: 'default' }, 'provider default is no sign-in provider'],
    ['at a resource that is not there', { resource: 'nowhere' }, 'resource nowhere is no resource'],
    ['with a scope of no catalogue', { scopes: ['notes:all'] }, 'scope notes:all is not declared by'],
    ['with no scope', { scopes: [] }, 'scopes must contain at least 1'],
    ['with scopes as text', { scopes: 'notes:read' }, 'scopes must'],
    ['of no group', { group: '' }, 'group must be longer than'],
    ['of a group with U+0000', { group: 'a\u0000' }, 'group must not contain control characters'],
    ['of a group of half a character', { group: '\ud800' }, 'group must not contain control characters'],
    ['of a group of 300 characters', { group: 'a'.repeat(300) }, 'group must be shorter than'],
    ['with a member nobody knows', { groups: ['a'] }, 'property groups should not exist'],
  ])('%s: 400, and nothing is stored', async (_, change, named) => {
    const { slug } = await aResource(app);
    const good = { provider: company, group: 'poisoned', resource: slug, scopes: ['notes:read'] };
    const { status, body } = await app.admin('POST', PATH, { ...good, ...change });
    expect([status, JSON.stringify(body)]).toEqual([400, expect.stringContaining(named)]);
    expect(await app.sql('select * from group_scopes where group_name = $1', ['poisoned'])).toEqual([]);
  });

  it('without a mapping nobody is asked how they stand', async () => {
    const flow = await aFlow(app);
    await standsAt(app, flow.user, company, []);
    const { tokens } = await tokensOf(flow);
    expect(tokens.scope).toBe('notes:read notes:write');
  });
});

describe('where a provider maps groups for a resource', () => {
  it('the consent page offers what the groups of the person give, and the token holds it', async () => {
    const flow = await aFlow(app);
    await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
    await standsAt(app, flow.user, company, ['readers', 'others']);
    expect(offered(await asked(flow))).toEqual(['notes:read']);
    expect(offered(await asked(flow, { scope: undefined }))).toEqual(['notes:read']);
    const { tokens } = await tokensOf(flow);
    expect(tokens.scope).toBe('notes:read');
  });

  it('a person in two groups has what either gives', async () => {
    const flow = await aFlow(app);
    await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
    await mapGroup(app, company, 'writers', flow.resource, 'notes:write');
    await standsAt(app, flow.user, company, ['writers', 'readers']);
    expect((await tokensOf(flow)).tokens.scope).toBe('notes:read notes:write');
  });

  it.each<[string, string[] | null]>([
    ['is in no group that is mapped', ['strangers', 'Readers', 'readers ']],
    ['is in no group', []],
    ['has groups of which the provider said nothing', null],
  ])('who %s has nothing there, and the client is told', async (_, groups) => {
    const flow = await aFlow(app);
    await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
    await standsAt(app, flow.user, company, groups);
    const { location } = await asked(flow);
    const answer = Object.fromEntries(new URL(location ?? '').searchParams);
    expect(answer).toMatchObject({ error: 'invalid_scope', state: 'a-state' });
    const [refused] = await audited(app, 'authorize.denied');
    expect(refused).toMatchObject({ reason: 'groups_allow_nothing', client_id: flow.client.id });
  });

  it('nobody else is bound: who signs in here, or elsewhere; nor anybody at another resource', async () => {
    const other = await aSignInProvider(app);
    const [local, elsewhere, there] = [await aFlow(app), await aFlow(app), await aFlow(app)];
    for (const { resource } of [local, elsewhere]) await mapGroup(app, company, 'readers', resource, 'notes:read');
    await standsAt(app, elsewhere.user, other, []);
    await standsAt(app, there.user, company, []);
    for (const flow of [local, elsewhere, there])
      expect((await tokensOf(flow)).tokens.scope).toBe('notes:read notes:write');
  });

  it('of several providers the one counts at which the person last signed in', async () => {
    const other = await aSignInProvider(app);
    const flow = await aFlow(app);
    await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
    await mapGroup(app, other, 'writers', flow.resource, 'notes:write');
    await standsAt(app, flow.user, company, ['readers']);
    app.clock.advance(60);
    await standsAt(app, flow.user, other, ['writers']);
    expect(offered(await asked(flow))).toEqual(['notes:write']);
    app.clock.advance(60);
    await standsAt(app, flow.user, company, ['readers']);
    expect(offered(await asked(flow))).toEqual(['notes:read']);
  });

  it('they hold on when the provider is gone, so that deleting it frees nobody', async () => {
    const gone = await aSignInProvider(app);
    const flow = await aFlow(app);
    const id = await mapGroup(app, gone, 'readers', flow.resource, 'notes:read');
    await standsAt(app, flow.user, gone, ['readers']);
    expect((await app.admin('DELETE', `/admin/sign-in-providers/${gone}?force=true`)).status).toBe(204);
    expect(offered(await asked(flow))).toEqual(['notes:read']);
    await app.admin('DELETE', `${PATH}/${id}`);
    expect(offered(await asked(flow))).toEqual(['notes:read', 'notes:write']);
  });
});

describe('a change of what groups give', () => {
  it('narrows the next refresh in every replica, and widens it again: the consent is as it was', async () => {
    const flow = await tokensOf(await aFlow(app));
    expect(flow.tokens.scope).toBe('notes:read notes:write');
    await standsAt(app, flow.user, company, ['readers']);
    const id = await mapGroup(beside, company, 'readers', flow.resource, 'notes:read');
    const narrow = await refresh(flow, flow.tokens.refresh_token);
    expect(narrow.body.scope).toBe('notes:read');
    const there = await refresh({ ...flow, app: beside }, narrow.body.refresh_token);
    expect(there.body.scope).toBe('notes:read');
    await standsAt(app, flow.user, company, ['readers', 'writers']);
    await mapGroup(app, company, 'writers', flow.resource, 'notes:write');
    const wide = await refresh({ ...flow, app: beside }, there.body.refresh_token);
    expect(wide.body.scope).toBe('notes:read notes:write');
    await app.admin('DELETE', `${PATH}/${id}`);
    expect((await refresh(flow, wide.body.refresh_token)).body.scope).toBe('notes:write');
  });

  it('between consent and code is seen by the code', async () => {
    const flow = await aFlow(app);
    const { verifier, challenge } = pkce();
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), app.url);
    const page = await browser.follow(await signIn(browser, login, flow.user), app.url);
    const decided = await browser.post(`${app.url}/consent`, { ...page.form('decision'), decision: 'allow' });
    const code = new URL(decided.location ?? '').searchParams.get('code') ?? '';
    await standsAt(app, flow.user, company, ['readers']);
    await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
    const { body } = await redeem({ ...flow, code, verifier });
    expect(body.scope).toBe('notes:read');
  });
});
