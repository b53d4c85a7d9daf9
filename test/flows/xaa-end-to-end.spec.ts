import { discoverAndRequestJwtAuthGrant, type CrossAppAccessContext } from '@modelcontextprotocol/client';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningClock, startTestApp, type TestApp } from '../app.js';
import { audited } from '../builders.js';
import { aNotesServer, anSdkAgent, idTokenOf, trust, type NotesServer, type Trusted } from '../cross-app-access.js';
import { anAgent, EXCHANGE, issuances } from '../exchanges.js';
import { anIssuing, REFRESH_TOKEN, startIssuingApp, type Issuing } from '../id-jag.js';
import { Idp } from '../idp/idp.js';

const settings = { XAA_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false' };

let app: TestApp;
let notes: NotesServer;
beforeAll(async () => {
  app = await startTestApp({ settings, clock: new RunningClock() });
  notes = await aNotesServer(app);
});
afterAll(async () => {
  await notes.close();
  await app.close();
});

type Assertion = (context: CrossAppAccessContext) => Promise<string>;
const newest = async (action: string): Promise<any> => (await audited(app, action))[0];

/** The whole way of an agent: it is refused nothing and shown nothing. @returns the one token that it got */
async function connectsAndCalls(assertion: Assertion): Promise<string> {
  const before = await issuances(app);
  const agent = anSdkAgent(notes, assertion);
  await agent.connect();
  expect(await agent.call('add_note', { text: 'milk' })).toMatch(/^Added note \d+\.$/);
  expect(await agent.call('list_notes')).toContain('milk');
  await agent.client.close();

  expect(await issuances(app)).toBe(before + 1);
  expect(agent.tokenAnswers).toHaveLength(1);
  const [{ access_token: token, ...rest }] = agent.tokenAnswers;
  expect(rest).toEqual({ token_type: 'Bearer', expires_in: 3600, scope: 'notes:read notes:write' });
  const places = agent.requests.map((request) => request.replace(/^\w+ /, ''));
  expect(places.filter((place) => /\/(oauth\/authorize|consent|login|oauth\/register)/.test(place))).toEqual([]);
  expect(await app.sql('select id from consents')).toEqual([]);
  expect(decodeJwt(token)).toMatchObject({ aud: [notes.resource.uri], client_id: notes.client.id });
  return token;
}

/** The operator withdraws the policy; the agent's next request for a token is refused, and the audit row says by which policy. */
async function isRefusedOnceWithdrawn(assertion: Assertion, { policyId }: Trusted, name: string): Promise<void> {
  expect((await app.admin('PUT', `/admin/xaa/policies/${policyId}`, { enabled: false })).status).toBe(200);
  const before = await issuances(app);
  const agent = anSdkAgent(notes, assertion);
  await expect(agent.connect()).rejects.toThrow('no policy allows this');
  expect(agent.tokenAnswers).toEqual([expect.objectContaining({ error: 'access_denied' })]);
  expect(await newest('jwt_bearer.denied')).toMatchObject({
    reason: 'policy_denied',
    client_id: notes.client.id,
    detail: { policies: [`${name}: disabled`] },
  });
  expect(await issuances(app)).toBe(before);
  expect((await app.admin('PUT', `/admin/xaa/policies/${policyId}`, { enabled: true })).status).toBe(200);
  await connectsAndCalls(assertion);
}

describe("the official SDK's cross-app-access provider, with oidc-provider as the company's", () => {
  let company: Idp;
  let trusted: Trusted;
  let assertionOf: (login: string) => Assertion;

  beforeAll(async () => {
    company = await Idp.start();
    const agent = await company.register(['https://agent.example/callback'], {
      grant_types: ['authorization_code', EXCHANGE],
      token_endpoint_auth_method: 'client_secret_post',
    });
    await company.set({
      people: { ada: { groups: ['staff', 'finance'] }, bob: { groups: ['staff'] } },
      audiences: { [app.issuer]: { [agent.clientId]: notes.client.id } },
    });
    trusted = await trust(notes, company.origin, { name: 'Notes for finance', groups: ['finance'] });
    assertionOf = (login) => async (context) => {
      const idToken = await idTokenOf(company, agent, login);
      const { jwtAuthGrant } = await discoverAndRequestJwtAuthGrant({
        idpUrl: company.origin,
        audience: context.authorizationServerUrl,
        resource: context.resourceUrl,
        scope: context.scope,
        idToken,
        ...agent,
      });
      return jwtAuthGrant;
    };
  });
  afterAll(() => company.stop());

  it('[E1 E8] has one token and calls a tool, and nobody is asked anything', async () => {
    const token = await connectsAndCalls(assertionOf('ada'));
    expect(decodeJwt(token)['idp']).toBe(company.origin);
    expect(await newest('jwt_bearer.issued')).toMatchObject({
      actor_id: decodeJwt(token).sub,
      detail: { idp: company.origin, policies: ['Notes for finance'] },
    });
  });

  it('is refused for somebody who is not in the group, and the audit row names the policy', async () => {
    await expect(anSdkAgent(notes, assertionOf('bob')).connect()).rejects.toThrow('no policy allows this');
    expect((await newest('jwt_bearer.denied')).detail.policies).toEqual(['Notes for finance: no group of it']);
  });

  it('is refused at once when the policy is withdrawn', async () => {
    await isRefusedOnceWithdrawn(assertionOf('ada'), trusted, 'Notes for finance');
  });
});

describe("the official SDK's cross-app-access provider, with another AuthPlane as the company's", () => {
  let company: TestApp;
  let at: Issuing;
  let trusted: Trusted;
  const asked: string[] = [];

  /** The SDK says of every subject token that it is an ID token; ours is a refresh token. */
  const ofRefreshToken: typeof fetch = (url, init) => {
    if (typeof init?.body !== 'string') return fetch(url, init);
    const form = new URLSearchParams(init.body);
    form.set('subject_token_type', REFRESH_TOKEN);
    return fetch(url, { ...init, body: form.toString() });
  };
  const assertion: Assertion = async ({ authorizationServerUrl, resourceUrl, scope }) => {
    asked.push(authorizationServerUrl);
    const { jwtAuthGrant, ...rest } = await discoverAndRequestJwtAuthGrant({
      idpUrl: company.issuer,
      audience: authorizationServerUrl,
      resource: resourceUrl,
      scope,
      idToken: at.refreshToken,
      clientId: at.client.id,
      clientSecret: at.client.secret,
      fetchFn: ofRefreshToken,
    });
    expect(rest).toEqual({ expiresIn: 300, scope: 'notes:read notes:write' });
    return jwtAuthGrant;
  };

  beforeAll(async () => {
    company = await startIssuingApp({}, undefined, new RunningClock());
    at = await anIssuing(company, {
      client: await anAgent(company, { token_endpoint_auth_method: 'client_secret_post' }),
      audience: { audience: app.issuer, audience_client_id: notes.client.id, resources: [notes.resource.uri] },
    });
    const policy = { name: 'Notes for the company', conditions: { client_id: notes.client.id } };
    trusted = await trust(notes, company.issuer, policy);
  });
  afterAll(() => company.close());

  it('[E1 E8] has one token and calls a tool, and nobody is asked anything', async () => {
    const token = await connectsAndCalls(assertion);
    expect(asked).toEqual([app.issuer]);
    expect(decodeJwt(token)['idp']).toBe(company.issuer);
    const [identity] = await app.sql('select issuer, subject from identities where user_id = $1', [
      decodeJwt(token).sub,
    ]);
    expect(identity).toEqual({ issuer: company.issuer, subject: at.user.id });
    expect((await audited(company, 'xaa.assertion_issued'))[0]).toMatchObject({
      actor_id: at.user.id,
      detail: { audience: app.issuer, audience_client: notes.client.id },
    });
  });

  it('is refused at once when the policy is withdrawn', async () => {
    await isRefusedOnceWithdrawn(assertion, trusted, 'Notes for the company');
  });

  it('is refused at once when the company lets the agent go there no more, or signs the person out', async () => {
    const change = (enabled: boolean) => company.admin('PUT', `/admin/xaa/audiences/${at.audience.id}`, { enabled });
    await change(false);
    await expect(anSdkAgent(notes, assertion).connect()).rejects.toThrow('this client may not do this exchange');
    expect((await audited(company, 'token.exchange_denied'))[0]?.reason).toBe('audience_disabled');
    await change(true);
    await connectsAndCalls(assertion);
    await company.admin('PATCH', `/admin/users/${at.user.id}/disable`);
    await expect(anSdkAgent(notes, assertion).connect()).rejects.toThrow('subject token is invalid');
  });
});
