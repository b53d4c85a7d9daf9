import { createRemoteJWKSet, decodeJwt, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aConfidentialClient, audited, aUser, introspect } from '../builders.js';
import { aKey, aProof, askWith } from '../dpop.js';
import {
  anIdpKey,
  anXaaFlow,
  assertionOf,
  aStubIdp,
  claimsOf,
  created,
  JWT_BEARER,
  present,
  type StubIdp,
  type XaaFlow,
} from '../idp.js';

const settings = { XAA_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false' };

let app: TestApp;
let idp: StubIdp;
let flow: XaaFlow;
beforeAll(async () => {
  [app, idp] = await Promise.all([startTestApp({ settings }), aStubIdp()]);
  flow = await anXaaFlow(app, idp);
});
afterAll(async () => {
  await app.close();
  await idp.close();
});

const newest = async (action: string): Promise<any> => (await audited(app, action))[0];

describe('an identity assertion', () => {
  it('[E8 J7] becomes one access token for its resource, without a page, a consent or a refresh token', async () => {
    const act = { sub: 'an-agent', act: { sub: 'another' } };
    const { status, headers, body } = await present(flow, await assertionOf(flow, { act }));
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(Object.keys(body).toSorted()).toEqual(['access_token', 'expires_in', 'scope', 'token_type']);
    expect(body).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'notes:read notes:write' });
    const keys = createRemoteJWKSet(new URL(`${app.issuer}/.well-known/jwks.json`));
    const { payload } = await jwtVerify(body.access_token, keys, { issuer: app.issuer, audience: flow.resource.uri });
    expect(payload).toMatchObject({ client_id: flow.client.id, idp: idp.issuer, act });
    const [user] = await app.sql('select * from users where id = $1', [payload.sub]);
    expect(user).toMatchObject({ status: 'active', provider: 'xaa' });
  });

  it('tells in introspection and audit who issued it and which policy allowed it', async () => {
    const { body } = await present(flow, await assertionOf(flow, { jti: 'told' }));
    const state = await introspect(app, body.access_token, flow.client);
    const { sub, jti } = decodeJwt(body.access_token);
    expect(state).toMatchObject({ active: true, sub, idp: idp.issuer, scope: 'notes:read notes:write' });
    expect(await newest('jwt_bearer.issued')).toMatchObject({
      actor_id: sub,
      client_id: flow.client.id,
      detail: { jti, idp: idp.issuer, assertion: 'told', policies: ['Notes for everybody'], replay: 'single_use' },
    });
  });

  it('is the same person every time, and gives revocable tokens', async () => {
    const [first, second] = [
      await present(flow, await assertionOf(flow)),
      await present(flow, await assertionOf(flow)),
    ];
    expect(decodeJwt(first.body.access_token).sub).toBe(decodeJwt(second.body.access_token).sub);
    await app.admin('PATCH', `/admin/users/${decodeJwt(first.body.access_token).sub}/disable`);
    expect(await introspect(app, first.body.access_token, flow.client)).toEqual({ active: false });
    const refused = await present(flow, await assertionOf(flow));
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_grant']);
    expect((await newest('jwt_bearer.denied')).reason).toBe('subject_disabled');
    await app.admin('PATCH', `/admin/users/${decodeJwt(first.body.access_token).sub}/enable`);
  });

  it('of two issuers with the same subject is about two people, whatever their e-mail says', async () => {
    const other = await aStubIdp();
    const beside = await anXaaFlow(app, other, { idp: { name: 'Other' } });
    const email = 'same@people.example';
    const tokens = [
      await present(flow, await assertionOf(flow, { sub: 'twin', email })),
      await present(beside, await assertionOf(beside, { sub: 'twin', email, email_verified: true })),
    ];
    const [first, second] = tokens.map(({ body }) => decodeJwt(body.access_token).sub);
    expect(first).not.toBe(second);
    // The first had it without a word that anybody has seen it answered.
    const addresses = async (id: unknown) => app.sql('select email from users where id = $1', [id]);
    expect([await addresses(first), await addresses(second)]).toEqual([[{ email: null }], [{ email }]]);
    await other.close();
  });

  it('[E8] narrows to what client, assertion, policy and request have in common', async () => {
    const scopeOf = async (claims: object, more = {}): Promise<string> => {
      const { body } = await present(flow, await assertionOf(flow, { ...claims }), more);
      return body.scope ?? body.error;
    };
    expect(await scopeOf({ scope: 'notes:read admin' })).toBe('notes:read');
    expect(await scopeOf({ scope: undefined })).toBe('notes:read notes:write');
    expect(await scopeOf({}, { scope: 'notes:write' })).toBe('notes:write');
    expect(await scopeOf({ scope: 'notes:read' }, { scope: 'notes:read notes:write' })).toBe('notes:read');
    expect(await scopeOf({ scope: 'notes:read' }, { scope: 'notes:write' })).toBe('invalid_scope');
    expect(await scopeOf({ scope: '' })).toBe('invalid_scope');
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { scopes: ['notes:read'] });
    expect(await scopeOf({})).toBe('notes:read');
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { scopes: [] });
  });

  it('is refused from a client without a ceiling', async () => {
    const unbounded = await anXaaFlow(app, await aStubIdp('127.0.0.2'), { client: { scope: '' } });
    const { status, body } = await present(unbounded, await assertionOf(unbounded));
    expect([status, body.error]).toEqual([400, 'invalid_scope']);
    expect((await newest('jwt_bearer.denied')).reason).toBe('ceiling_empty');
    await unbounded.idp.close();
  });

  it('counts no more at once when its policy is withdrawn, and the audit row names the policy', async () => {
    const policy = (change: object) => app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, change);
    const assertion = await assertionOf(flow);
    const withdrawals: [change: object, refusal: string][] = [
      [{ enabled: false }, 'disabled'],
      [{ expires_at: '2020-01-01T00:00:00Z' }, 'expired'],
      [{ client_ids: ['another'] }, 'another client'],
      [{ resources: ['https://other.example/mcp'] }, 'another resource'],
      [{ groups: ['finance'] }, 'no group of it'],
      [{ conditions: { department: 'finance' } }, 'another department'],
    ];
    const before = (await app.admin('GET', `/admin/xaa/policies/${flow.policyId}`)).body;
    for (const [change, refusal] of withdrawals) {
      await policy(change);
      const { status, body } = await present(flow, assertion);
      expect([status, body.error, body.error_description]).toEqual([403, 'access_denied', 'no policy allows this']);
      expect(await newest('jwt_bearer.denied')).toMatchObject({
        reason: 'policy_denied',
        detail: { policies: [`Notes for everybody: ${refusal}`] },
      });
      const restored = Object.fromEntries(Object.keys(change).map((name) => [name, before[name] ?? null]));
      expect((await policy(restored)).status).toBe(200);
    }
    expect((await present(flow, assertion)).status).toBe(200);
  });

  it('is let through by its groups and claims where a policy asks for them', async () => {
    const change = { groups: ['finance', 'board'], conditions: { department: 'f1' } };
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, change);
    const claims = { groups: ['staff', 'board'], department: 'f1' };
    expect((await present(flow, await assertionOf(flow, claims))).status).toBe(200);
    expect((await present(flow, await assertionOf(flow, { ...claims, groups: 'board' }))).status).toBe(403);
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { groups: [], conditions: {} });
  });

  it('[J1] is bound to the key of the proof, and gives a bound token', async () => {
    const key = await aKey();
    const form = async (claims: object) => ({
      grant_type: JWT_BEARER,
      assertion: await assertionOf(flow, { ...claims }),
    });
    const bound = await askWith(app, await aProof(app, key), await form({ cnf: { jkt: key.jkt } }), flow.client);
    expect(bound.body.token_type).toBe('DPoP');
    expect(decodeJwt(bound.body.access_token)['cnf']).toEqual({ jkt: key.jkt });
    const unasked = await askWith(app, await aProof(app, key), await form({}), flow.client);
    expect(unasked.body.token_type).toBe('DPoP');
  });

  it('is about the person whom the operator mapped it to, by whatever the policy lets speak', async () => {
    const subjectOf = async (claims: object) => {
      const { body } = await present(flow, await assertionOf(flow, { ...claims }));
      return decodeJwt(body.access_token).sub;
    };
    const [mapped, named, mailed] = await Promise.all([aUser(app), aUser(app), aUser(app)]);
    const mapping = { idp_id: flow.idpId, idp_subject: 'grace', local_user_id: mapped.id };
    const { id } = await created(app, '/admin/xaa/subject-mappings', mapping);
    expect(await subjectOf({ sub: 'grace' })).toBe(mapped.id);
    const list = await app.admin('GET', `/admin/xaa/subject-mappings?idp_id=${flow.idpId}`);
    expect(list.body.subject_mappings).toContainEqual({ ...mapping, id, created_at: expect.any(String) });
    expect((await app.admin('DELETE', `/admin/xaa/subject-mappings/${id}`)).status).toBe(204);
    expect(await subjectOf({ sub: 'grace' })).not.toBe(mapped.id);

    const verified = { email: mailed.email, email_verified: true };
    expect(await subjectOf({ sub: 'n1', aud_sub: named.id })).not.toBe(named.id);
    expect(await subjectOf({ sub: 'm1', ...verified })).not.toBe(mailed.id);
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { subject_by: ['aud_sub', 'email'] });
    expect(await subjectOf({ sub: 'n2', aud_sub: named.id })).toBe(named.id);
    expect(await subjectOf({ sub: 'm2', ...verified })).toBe(mailed.id);
    expect(await subjectOf({ sub: 'm3', ...verified, email_verified: 'true' })).not.toBe(mailed.id);
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { subject_by: [] });
  });

  it('of somebody unknown is refused in strict mode, and makes nobody', async () => {
    const strict = await startTestApp({ settings: { ...settings, XAA_SUBJECT_MODE: 'strict' }, beside: app });
    const assertion = await assertionOf(flow, { sub: 'stranger' });
    const { status, body } = await present({ ...flow, app: strict }, assertion);
    expect([status, body.error]).toEqual([403, 'access_denied']);
    expect((await newest('jwt_bearer.denied')).reason).toBe('subject_unmapped');
    expect(await app.sql(`select from identities where subject = 'stranger'`)).toEqual([]);
    expect((await present(flow, assertion)).status).toBe(200);
    await strict.close();
  });

  it('[E6] may come again where the operator says so, and the audit row tells', async () => {
    await app.admin('PUT', `/admin/idps/${flow.idpId}`, { replay: 'reusable_until_exp' });
    const assertion = await assertionOf(flow);
    expect([(await present(flow, assertion)).status, (await present(flow, assertion)).status]).toEqual([200, 200]);
    expect((await newest('jwt_bearer.issued')).detail.replay).toBe('reusable_until_exp');
    await app.admin('PUT', `/admin/idps/${flow.idpId}`, { replay: 'single_use' });
    expect((await present(flow, assertion)).status).toBe(200);
    expect((await present(flow, assertion)).body.error).toBe('invalid_grant');
  });
});

describe('the resource of an assertion', () => {
  it('may be left out of the request, of the assertion, or of both', async () => {
    const audienceOf = async (claims: object, more = {}) => {
      const { body } = await present(flow, await assertionOf(flow, { ...claims }), more);
      return body.error ?? decodeJwt(body.access_token).aud;
    };
    const { uri } = flow.resource;
    expect(await audienceOf({}, { resource: uri })).toEqual([uri]);
    expect(await audienceOf({ resource: [uri] })).toEqual([uri]);
    expect(await audienceOf({ resource: undefined }, { resource: uri })).toEqual([uri]);
    expect(await audienceOf({ resource: undefined })).toBe('access_denied');
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { resources: [] });
    expect(await audienceOf({ resource: undefined })).toEqual([app.issuer]);
    await app.admin('PUT', `/admin/xaa/policies/${flow.policyId}`, { resources: [uri] });
  });

  it('must be named where xaa.require_resource is on, and asking without one spends nothing', async () => {
    const demanding = await startTestApp({ settings: { ...settings, XAA_REQUIRE_RESOURCE: 'true' }, beside: app });
    const assertion = await assertionOf(flow, { resource: undefined });
    const { body } = await present({ ...flow, app: demanding }, assertion);
    expect([body.error, body.error_description]).toEqual(['invalid_target', 'resource is required']);
    expect((await present(flow, assertion, { resource: flow.resource.uri })).status).toBe(200);
    await demanding.close();
  });
});

describe('the keys of an issuer', () => {
  const SECONDS = 61;

  it('[E5] are asked for again when an assertion names one that is new, at most once a minute', async () => {
    const { keys } = idp;
    const newKey = await anIdpKey('RS256');
    idp.keys = [newKey];
    const assertion = await assertionOf(flow, {}, {}, newKey);
    app.clock.advance(SECONDS);
    expect((await present(flow, await assertionOf(flow, {}, {}, newKey))).status).toBe(200);
    expect((await present(flow, assertion)).status).toBe(200);
    const asked = idp.hits.length;
    expect((await present(flow, await assertionOf(flow, {}, { kid: 'no-such-key' }, newKey))).body.error).toBe(
      'invalid_grant',
    );
    expect(idp.hits.length).toBe(asked);
    idp.keys = keys;
    app.clock.advance(SECONDS);
    expect((await present(flow, await assertionOf(flow))).status).toBe(200);
  });

  it('[E5] serve until their time while its host is away, and then nobody is told that an assertion is wrong', async () => {
    idp.instead = { '/jwks': (_, res) => void res.writeHead(502).end() };
    app.clock.advance(SECONDS);
    expect((await present(flow, await assertionOf(flow))).status).toBe(200);
    const unsure = await present(flow, await assertionOf(flow, {}, { kid: 'perhaps-a-new-one' }));
    expect([unsure.status, unsure.body.error]).toEqual([503, 'temporarily_unavailable']);
    expect((await present(flow, await assertionOf(flow))).status).toBe(200);
    app.clock.advance(3600);
    const assertion = await assertionOf(flow);
    const away = await present(flow, assertion);
    expect([away.status, away.body.error, away.headers.get('retry-after')]).toEqual([
      503,
      'temporarily_unavailable',
      '2',
    ]);
    idp.instead = {};
    app.clock.advance(SECONDS);
    expect((await present(flow, assertion)).status).toBe(200);
  });

  it('are there for a replica that starts while their host is away, for as long as for the others and no longer', async () => {
    expect((await present(flow, await assertionOf(flow))).status).toBe(200);
    idp.instead = { '/jwks': (_, res) => void res.writeHead(502).end() };
    app.clock.advance(SECONDS);
    const beside = { ...flow, app: await startTestApp({ settings, beside: app, clock: app.clock }) };
    const asked = idp.hits.length;
    expect((await present(beside, await assertionOf(flow))).status).toBe(200);
    expect(idp.hits.length).toBe(asked);
    const unsure = await present(beside, await assertionOf(flow, {}, { kid: 'perhaps-a-new-one' }));
    expect([unsure.status, unsure.body.error]).toEqual([503, 'temporarily_unavailable']);
    app.clock.advance(3600);
    expect((await present(beside, await assertionOf(flow))).status).toBe(503);
    idp.instead = {};
    app.clock.advance(SECONDS);
    expect((await present(beside, await assertionOf(flow))).status).toBe(200);
    await beside.app.close();
  });

  it('are fetched before anybody needs them, by one replica for all, and one that is gone is gone for whoever starts', async () => {
    const { keys } = idp;
    const refreshed = async (): Promise<void> => {
      const { id } = (await app.admin('POST', '/admin/jobs', { name: 'idp-key-refresh' })).body;
      const state = async (): Promise<string> => (await app.admin('GET', `/admin/jobs/${id}`)).body.state;
      await expect.poll(state).toBe('completed');
    };
    const [former, newKey] = [await assertionOf(flow), await anIdpKey('RS256')];
    idp.keys = [newKey];
    app.clock.advance(1);
    const asked = idp.hits.length;
    await refreshed();
    expect(idp.hits.length).toBe(asked + 2);
    idp.instead = { '/jwks': (_, res) => void res.writeHead(502).end() };
    const beside = { ...flow, app: await startTestApp({ settings, beside: app, clock: app.clock }) };
    expect((await present(beside, await assertionOf(flow, {}, {}, newKey))).status).toBe(200);
    expect((await present(beside, former)).status).not.toBe(200);
    await beside.app.close();
    idp.instead = {};
    idp.keys = keys;
    app.clock.advance(SECONDS);
    expect((await present(flow, await assertionOf(flow))).status).toBe(200);
  });

  it('are forgotten in every replica when the operator says so', async () => {
    const replica = await startTestApp({ settings, beside: app, clock: app.clock });
    const beside = { ...flow, app: replica };
    expect((await present(beside, await assertionOf(flow))).status).toBe(200);
    const asked = idp.hits.length;
    app.clock.advance(1);
    const { status, body } = await app.admin('POST', `/admin/idps/${flow.idpId}/refresh-keys`);
    expect([status, body]).toEqual([200, { kids: [idp.key.kid] }]);
    expect((await present(beside, await assertionOf(flow))).status).toBe(200);
    expect(idp.hits.length).toBe(asked + 2);
    // What was kept of them, too: nobody knows the keys until the host says.
    idp.instead = { '/jwks': (_, res) => void res.writeHead(502).end() };
    app.clock.advance(1);
    expect((await app.admin('POST', `/admin/idps/${flow.idpId}/refresh-keys`)).status).toBe(200);
    for (const { app: one } of [flow, beside])
      expect((await present({ ...flow, app: one }, await assertionOf(flow))).status).toBe(503);
    idp.instead = {};
    app.clock.advance(SECONDS);
    expect((await present(beside, await assertionOf(flow))).status).toBe(200);
    await replica.close();
  });
});

describe('a workload', () => {
  it('has a token for itself with its own JWT, without a secret, by a rule that names it', async () => {
    const cluster = await aStubIdp('127.0.0.3');
    const client = await aClient(app, { grant_types: [JWT_BEARER], redirect_uris: [], scope: 'notes:read' });
    const subject = 'system:serviceaccount:prod:agent';
    const workload = { ...flow, idp: cluster, client };
    const { id } = await created(app, '/admin/idps', { name: 'Cluster', issuer: cluster.issuer, kind: 'workload' });
    const rule = { name: 'Agent', idp_id: id, client_ids: [client.id] };
    expect((await app.admin('POST', '/admin/xaa/policies', rule)).status).toBe(400);
    expect(
      (await app.admin('POST', '/admin/xaa/policies', { ...rule, client_ids: [], conditions: { sub: subject } }))
        .status,
    ).toBe(400);
    await created(app, '/admin/xaa/policies', { ...rule, conditions: { sub: subject } });
    const jwt = (claims: object = {}, header: object = {}) => {
      const { iss, aud, iat, exp } = claimsOf(workload);
      const none = { client_id: undefined, jti: undefined, resource: undefined, scope: undefined };
      return assertionOf(workload, { ...none, iss, aud, iat, exp, sub: subject, ...claims }, { typ: 'JWT', ...header });
    };
    const { status, body } = await present(workload, await jwt(), { resource: flow.resource.uri });
    expect([status, body.scope]).toEqual([200, 'notes:read']);
    expect(decodeJwt(body.access_token).sub).toBe(client.id);
    const wrong = [
      await jwt({ sub: 'system:serviceaccount:prod:other' }),
      await jwt({}, { typ: 'oauth-id-jag+jwt' }),
      await jwt({ exp: Number(claimsOf(flow)['iat']) + 3700 }),
      await jwt({ aud: [app.issuer, 'https://kubernetes.default.svc'] }),
    ];
    const answers = await Promise.all(wrong.map(async (each) => (await present(workload, each)).body.error));
    expect(answers).toEqual(['access_denied', 'invalid_grant', 'invalid_grant', 'invalid_grant']);
    expect((await present({ ...workload, client: await aConfidentialClient(app) }, await jwt())).body.error).toBe(
      'unauthorized_client',
    );
    await cluster.close();
  });

  it('[E9] cannot be a client with an identity assertion and no secret', async () => {
    const client = await aClient(app, { grant_types: [JWT_BEARER], redirect_uris: [], scope: 'notes:read' });
    const open = { ...flow, client };
    const { status, body } = await present(open, await assertionOf(open));
    expect([status, body.error]).toEqual([401, 'invalid_client']);
  });
});

describe('the metadata', () => {
  it('[E2] names grant and profile only while they are switched on', async () => {
    const read = async (at: TestApp) => (await fetch(`${at.url}/.well-known/oauth-authorization-server`)).json();
    const on: any = await read(app);
    expect(on.authorization_grant_profiles_supported).toEqual(['urn:ietf:params:oauth:grant-profile:id-jag']);
    expect(on.grant_types_supported).toContain(JWT_BEARER);
    const without = await startTestApp({ beside: app });
    const off: any = await read(without);
    expect(off).not.toHaveProperty('authorization_grant_profiles_supported');
    expect(off.grant_types_supported).not.toContain(JWT_BEARER);
    const { body } = await present({ ...flow, app: without }, await assertionOf(flow));
    expect(body.error_description).toBe('grant_type jwt-bearer is not enabled on this server (xaa.enabled)');
    await without.close();
  });
});
