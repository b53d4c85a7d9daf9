import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  aResource,
  aUser,
  authorizeUrl,
  pkce,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type Flow,
} from '../builders.js';
import { aVending, aWorld, type World } from '../brokering.js';
import {
  allowed,
  anAgent,
  exchange,
  expectRefused,
  front,
  issuances,
  letActAs,
  letExchange,
  outcome,
  started,
} from '../exchanges.js';
import { aSignInProvider, mapGroup, standsAt } from '../groups.js';
import { HttpBrowser } from '../http-browser.js';
import { anXaaFlow, assertionOf, aStubIdp, present, type StubIdp } from '../idp.js';

let world: World;
let app: TestApp;
let beside: TestApp;
let company: string;
let idp: StubIdp;
beforeAll(async () => {
  [world, idp] = await Promise.all([aWorld(), aStubIdp()]);
  const settings = {
    ...world.settings,
    TOKEN_EXCHANGE_ENABLED: 'true',
    TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
    XAA_ENABLED: 'true',
    RATE_LIMIT_ENABLED: 'false',
  };
  app = await startTestApp({ settings });
  beside = await startTestApp({ settings, beside: app, clock: app.clock });
  company = await aSignInProvider(app);
});
afterAll(async () => {
  await beside?.close();
  await app?.close();
  await idp?.close();
  await world?.end();
});

/** The person of a flow is a reader and a writer, and both groups give their own scope of its resource. */
async function mapped<T extends Flow>(flow: T): Promise<T> {
  await standsAt(app, flow.user, company, ['readers', 'writers']);
  await mapGroup(app, company, 'readers', flow.resource, 'notes:read');
  await mapGroup(app, company, 'writers', flow.resource, 'notes:write');
  return flow;
}

const inGroups = (flow: Pick<Flow, 'user'>, ...groups: string[]) => standsAt(app, flow.user, company, groups);

describe('on the consent page', () => {
  it('a box that was not offered is not ticked by whoever forges the form', async () => {
    const flow = await mapped(await aFlow(app));
    await inGroups(flow, 'readers');
    const { verifier, challenge } = pkce();
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), app.url);
    const page = await browser.follow(await signIn(browser, login, flow.user), app.url);
    const fields = page.form('decision');
    const box = Object.keys(fields).find((name) => name.endsWith('notes:read')) ?? '';
    expect(box).not.toBe('');
    const forged = { ...fields, [box.replace('notes:read', 'notes:write')]: 'on', decision: 'allow' };
    const { location = '' } = await browser.post(`${app.url}/consent`, forged);
    const { body } = await redeem({ ...flow, code: new URL(location).searchParams.get('code') ?? '', verifier });
    expect(body.scope).toBe('notes:read');
  });

  it('a page that was opened before a group was taken away gives no more than what is left', async () => {
    const flow = await mapped(await aFlow(app));
    const { verifier, challenge } = pkce();
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), app.url);
    const page = await browser.follow(await signIn(browser, login, flow.user), app.url);
    await inGroups(flow, 'readers');
    const { location = '' } = await browser.post(`${app.url}/consent`, { ...page.form('decision'), decision: 'allow' });
    const { body } = await redeem({ ...flow, code: new URL(location).searchParams.get('code') ?? '', verifier });
    expect(body.scope).toBe('notes:read');
    const [consent] = await app.sql('select scopes from consents where user_id = $1', [flow.user.id]);
    expect(consent?.scopes).toEqual(['notes:read']);
  });

  it('an earlier consent does not give in silence what the groups no longer do', async () => {
    const client = await aConfidentialClient(app);
    const flow = await mapped({ app, client, user: await aUser(app), resource: await aResource(app) });
    const browser = new HttpBrowser();
    expect((await tokensOf(flow, {}, browser)).tokens.scope).toBe('notes:read notes:write');
    await inGroups(flow, 'readers');
    const { verifier, challenge } = pkce();
    const silent = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), app.url);
    const code = new URL(silent.location ?? '').searchParams.get('code') ?? '';
    expect((await redeem({ ...flow, code, verifier })).body.scope).toBe('notes:read');
  });
});

describe('a code', () => {
  it('is refused, unspent, when the groups give nothing by now', async () => {
    const granted = await mapped(await aGrantedCode(await aFlow(app)));
    await inGroups(granted, 'strangers');
    const told: [number, string, string] = [400, 'invalid_scope', 'groups_allow_nothing'];
    await expectRefused(app, () => redeem(granted), told, 'token.issue_denied');
    await inGroups(granted, 'readers');
    expect((await redeem(granted)).body.scope).toBe('notes:read');
  });
});

describe('a refresh after a group was taken away', () => {
  it('does not widen what is left, and spends nothing', async () => {
    const flow = await mapped(await tokensOf(await aFlow(app)));
    await inGroups(flow, 'readers');
    const token = flow.tokens.refresh_token;
    const told: [number, string, string] = [400, 'invalid_scope', 'scope_beyond_groups'];
    for (const scope of ['notes:write', 'notes:read notes:write'])
      await expectRefused(app, () => refresh(flow, token, { scope }), told, 'token.refresh_denied');
    expect((await refresh(flow, token)).body.scope).toBe('notes:read');
  });

  it('is refused when nothing is left; the same token works again when the group is back', async () => {
    const flow = await mapped(await tokensOf(await aFlow(app)));
    await inGroups(flow);
    const token = flow.tokens.refresh_token;
    const told: [number, string, string] = [400, 'invalid_grant', 'groups_allow_nothing'];
    await expectRefused(app, () => refresh(flow, token), told, 'token.refresh_denied');
    await inGroups(flow, 'writers');
    expect((await refresh(flow, token)).body.scope).toBe('notes:write');
  });

  it('at a replica that remembers how it was gives no more than at the other', async () => {
    const flow = await mapped(await tokensOf(await aFlow(app)));
    const warm = await refresh({ ...flow, app: beside }, flow.tokens.refresh_token);
    expect(warm.body.scope).toBe('notes:read notes:write');
    await inGroups(flow, 'readers');
    const next = await refresh({ ...flow, app: beside }, warm.body.refresh_token);
    expect(next.body.scope).toBe('notes:read');
    await mapGroup(app, company, 'readers', flow.resource, 'notes:write');
    expect((await refresh({ ...flow, app: beside }, next.body.refresh_token)).body.scope).toBe('notes:write');
  });

  it('does not get the answer again that was given before', async () => {
    const client = await aConfidentialClient(app);
    const plain = { app, client, user: await aUser(app), resource: await aResource(app) };
    const flow = await mapped(await tokensOf(plain));
    const token = flow.tokens.refresh_token;
    const first = await refresh(flow, token);
    expect((await refresh(flow, token)).body.access_token).toBe(first.body.access_token);
    await inGroups(flow, 'readers');
    const told: [number, string, string] = [400, 'invalid_grant', 'groups_allow_less'];
    await expectRefused(app, () => refresh(flow, token), told, 'token.refresh_denied');
  });
});

describe('an exchange after a group was taken away', () => {
  it('gives no more at the target than the groups do', async () => {
    const [at, target, gateway] = await Promise.all([started(app), aResource(app), anAgent(app)]);
    await letExchange(app, target, gateway);
    await allowed(at, target);
    await mapped({ ...at, resource: target });
    const ask = (more = {}) => exchange(app, gateway, at.token, { resource: target.uri, ...more });
    expect(outcome(await ask())).toEqual([200, 'notes:read notes:write']);
    await inGroups(at, 'readers');
    await expectRefused(app, () => ask({ scope: 'notes:write' }), [400, 'invalid_scope', 'scope_beyond_groups']);
    expect(outcome(await ask())).toEqual([200, 'notes:read']);
    await inGroups(at);
    await expectRefused(app, () => ask(), [400, 'invalid_scope', 'groups_allow_nothing']);
  });

  it('asks nobody for a consent to what the groups do not give', async () => {
    const [at, target, gateway] = await Promise.all([started(app), aResource(app), anAgent(app)]);
    await letExchange(app, target, gateway);
    await mapped({ ...at, resource: target });
    const ask = () => exchange(app, gateway, at.token, { resource: target.uri });
    const { body } = await ask();
    expect(body.error).toBe('consent_required');
    await inGroups(at);
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(body.consent_url), app.url);
    const page = await browser.follow(await signIn(browser, login, at.user), app.url);
    expect([page.status, page.html.includes('name="decision"')]).toEqual([400, false]);
    const [row] = await app.sql('select reason from audit_events order by id desc limit 1');
    expect(row?.reason).toBe('groups_allow_nothing');
    await inGroups(at, 'readers');
    const again = await browser.get(body.consent_url);
    expect(again.html).toContain('notes:read');
    expect(again.html).not.toContain('notes:write');
  });

  it('for its own audience, too', async () => {
    const at = await mapped(await started(app));
    await inGroups(at, 'readers');
    const ask = (more = {}) => exchange(app, at.client, at.token, more);
    await expectRefused(app, () => ask({ scope: 'notes:write' }), [400, 'invalid_scope', 'scope_beyond_groups']);
    expect(outcome(await ask())).toEqual([200, 'notes:read']);
  });

  it('does not carry over a link what the token has from before', async () => {
    const [at, target, gateway] = await Promise.all([started(app), aResource(app), anAgent(app)]);
    await letActAs(app, at.resource, gateway);
    await letExchange(app, target, gateway);
    await front(app, at.resource, target, { 'notes:read': ['notes:read'], 'notes:write': ['notes:write'] });
    await mapped(at);
    const ask = (more = {}) => exchange(app, gateway, at.token, { resource: target.uri, ...more });
    expect(outcome(await ask())).toEqual([200, 'notes:read notes:write']);
    await inGroups(at, 'readers');
    await expectRefused(app, () => ask({ scope: 'notes:write' }), [400, 'invalid_scope', 'scope_beyond_groups']);
    expect(outcome(await ask())).toEqual([200, 'notes:read']);
  });
});

describe('a vend after a group was taken away', () => {
  it('asks upstream for no more than the groups give', async () => {
    const { at, ask, target } = await aVending(app, world, { config: { downscope: true } });
    await standsAt(app, at.user, company, ['readers', 'writers']);
    await mapGroup(app, company, 'readers', target, 'repo:read');
    await mapGroup(app, company, 'writers', target, 'repo:write');
    expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
    await inGroups(at, 'readers');
    await expectRefused(app, () => ask({ scope: 'repo:write' }), [400, 'invalid_scope', 'scope_beyond_groups']);
    const { body } = await ask();
    expect(body.scope).toBe('repo:read');
    expect((await world.upstream.me(body.access_token)).scope).toBe('repo:read');
  });

  it('is refused where upstream cannot narrow its token to what they give', async () => {
    const { at, ask, target } = await aVending(app, world);
    // From here on the token is kept.
    expect((await ask({ scope: 'repo:read' })).status).toBe(200);
    await standsAt(app, at.user, company, ['readers']);
    await mapGroup(app, company, 'readers', target, 'repo:read');
    await expectRefused(app, () => ask({ scope: 'repo:read' }), [403, 'access_denied', 'groups_not_narrowed']);
    await mapGroup(app, company, 'readers', target, 'repo:read', 'repo:write');
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([200, 'repo:read repo:write']);
  });
});

describe('an assertion', () => {
  it('gives a person no more than their groups do, and one that is refused may come again', async () => {
    const flow = await anXaaFlow(app, idp);
    const first = await present(flow, await assertionOf(flow));
    expect(first.body.scope).toBe('notes:read notes:write');
    const [identity] = await app.sql<{ user_id: string }>('select user_id from identities where issuer = $1', [
      idp.issuer,
    ]);
    const person = { user: { id: identity?.user_id ?? '', email: '', password: '' } };
    await mapped({ ...flow, ...person });
    await inGroups(person, 'readers');
    expect((await present(flow, await assertionOf(flow))).body.scope).toBe('notes:read');
    expect((await present({ ...flow, app: beside }, await assertionOf(flow))).body.scope).toBe('notes:read');
    await inGroups(person);
    const assertion = await assertionOf(flow);
    const told: [number, string, string] = [400, 'invalid_scope', 'groups_allow_nothing'];
    await expectRefused(app, () => present(flow, assertion), told, 'jwt_bearer.denied');
    await inGroups(person, 'writers');
    const before = await issuances(app);
    expect((await present(flow, assertion)).body.scope).toBe('notes:write');
    expect(await issuances(app)).toBe(before + 1);
  });

  it('gives a person who is bound by groups nothing at no resource at all', async () => {
    const flow = await anXaaFlow(app, await aStubIdp(), { policy: { resources: [] } });
    const nowhere = () => assertionOf(flow, { resource: undefined });
    expect((await present(flow, await nowhere())).body.scope).toBe('notes:read notes:write');
    const [identity] = await app.sql<{ user_id: string }>('select user_id from identities where issuer = $1', [
      flow.idp.issuer,
    ]);
    const person = { user: { id: identity?.user_id ?? '', email: '', password: '' } };
    await mapped({ ...flow, ...person });
    await inGroups(person, 'readers');
    const assertion = await nowhere();
    const told: [number, string, string] = [400, 'invalid_scope', 'groups_allow_nothing'];
    await expectRefused(app, () => present(flow, assertion), told, 'jwt_bearer.denied');
    await flow.idp.close();
  });
});
