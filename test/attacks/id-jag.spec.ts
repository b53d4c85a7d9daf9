import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aConfidentialClient, aResource, postForm, refresh, type TokenResponse } from '../builders.js';
import { aKey, aProof, askWith } from '../dpop.js';
import { anAgent, exchange, EXCHANGE, expectRefused, issuances } from '../exchanges.js';
import { SEALING } from '../federating.js';
import { aSignInProvider, mapGroup, standsAt } from '../groups.js';
import { whileHeld } from '../held-lock.js';
import { anIssuing, askForIdJag, AUDIENCE, formOf, startIssuingApp, THERE, type Issuing } from '../id-jag.js';
import { anXaaFlow, assertionOf, aStubIdp, created, JWT_BEARER, present } from '../idp.js';

const settings = { XAA_ENABLED: 'true', TOKEN_EXCHANGE_ENABLED: 'true' };

let app: TestApp;
let at: Issuing;
beforeAll(async () => {
  app = await startIssuingApp(settings);
});
afterAll(() => app.close());
beforeEach(async () => {
  at = await anIssuing(app);
});

type Refusal = [status: number, error: string, reason: string];
const refused = (ask: () => Promise<TokenResponse>, ...refusal: Refusal) => expectRefused(app, ask, refusal);
const asked = (more: Record<string, string> = {}) => askForIdJag(at, more);
const works = async (): Promise<void> => expect((await asked()).status).toBe(200);
const change = (members: object) => app.admin('PUT', `/admin/xaa/audiences/${at.audience.id}`, members);
const endConsent = async (): Promise<unknown> => {
  const [row] = await app.sql<{ id: string }>('select id from consents where client_id = $1', [at.client.id]);
  return app.admin('DELETE', `/admin/grants/consent/${row?.id}`);
};
const generation = () => app.sql('select generation from families where client_id = $1', [at.client.id]);

describe('an identity assertion is not had for', () => {
  it('[X3] the refresh token of another client, even of one that has the same audience', async () => {
    const thief = await anIssuing(app);
    await refused(
      () => askForIdJag({ ...thief, refreshToken: at.refreshToken }),
      400,
      'invalid_grant',
      'subject_of_another_client',
    );
    await works();
  });

  it('a refresh token that was spent, which ends nothing', async () => {
    const { body } = await refresh(at, at.refreshToken);
    app.clock.advance(60);
    await refused(() => asked(), 400, 'invalid_grant', 'subject_spent');
    expect(await generation()).toEqual([{ generation: 2 }]);
    const next = await refresh(at, body.refresh_token);
    expect(next.status).toBe(200);
    expect((await askForIdJag({ ...at, refreshToken: next.body.refresh_token })).status).toBe(200);
  });

  it('a forged refresh token', async () => {
    const bytes = Buffer.from(at.refreshToken.slice('ap_rt_'.length), 'base64url');
    bytes[51] = (bytes[51] ?? 0) ^ 1;
    const forged = `ap_rt_${bytes.toString('base64url')}`;
    for (const refreshToken of [forged, 'ap_rt_', at.token, `${at.refreshToken}A`])
      await refused(() => askForIdJag({ ...at, refreshToken }), 400, 'invalid_grant', 'subject_unknown');
    await works();
  });

  it('a person whose groups give nothing any more where the token is for', async () => {
    const provider = await aSignInProvider(app);
    await mapGroup(app, provider, 'staff', at.resource, 'notes:read');
    await standsAt(app, at.user, provider, ['staff']);
    await works();
    await standsAt(app, at.user, provider, ['guests']);
    await refused(() => asked(), 400, 'invalid_grant', 'subject_groups_allow_nothing');
  });

  it('a person for whom their identity provider does not vouch any more', async () => {
    const own = await startIssuingApp({ ...settings, ...SEALING });
    const theirs = await anIssuing(own);
    const provider = await aSignInProvider(own, { recheck: '15m' });
    await standsAt(own, theirs.user, provider, null);
    expect((await askForIdJag(theirs)).status).toBe(200);
    await own.sql('update identities set refused_at = now()');
    await expectRefused(own, () => askForIdJag(theirs), [400, 'invalid_grant', 'identity_refused']);
    await own.close();
  });

  it('a family that the client, or reuse, has ended', async () => {
    await postForm(app, '/oauth/revoke', { token: at.refreshToken }, at.client);
    await refused(() => asked(), 400, 'invalid_grant', 'subject_revoked');
    at = await anIssuing(app);
    const { body } = await refresh(at, at.refreshToken);
    app.clock.advance(60);
    expect((await refresh(at, at.refreshToken)).body.error_description).toBe('refresh token has already been used');
    await refused(
      () => askForIdJag({ ...at, refreshToken: body.refresh_token }),
      400,
      'invalid_grant',
      'subject_revoked',
    );
  });

  it('a family that lay unused too long, or has reached its end', async () => {
    for (const column of ['expires_at', 'ends_at']) {
      at = await anIssuing(app);
      const now = app.clock.now();
      await app.sql(`update families set ${column} = $1 where client_id = $2`, [now, at.client.id]);
      await refused(() => asked(), 400, 'invalid_grant', 'subject_expired');
    }
  });

  it('a consent that was withdrawn', async () => {
    await endConsent();
    await refused(() => asked(), 400, 'invalid_grant', 'subject_consent_withdrawn');
  });

  it('a consent of which nothing is left that the family had', async () => {
    await app.sql(`update consents set scopes = '{other}' where client_id = $1`, [at.client.id]);
    await refused(() => asked(), 400, 'invalid_grant', 'subject_consent_withdrawn');
  });

  it('a sign-in at a resource that is gone', async () => {
    expect((await app.admin('DELETE', `/admin/resources/${at.resource.id}?cascade=true`)).status).toBe(204);
    await refused(() => asked(), 400, 'invalid_grant', 'subject_consent_withdrawn');
  });

  it('a person who is disabled', async () => {
    await app.admin('PATCH', `/admin/users/${at.user.id}/disable`);
    const { body } = await asked();
    expect(['subject_user_disabled', 'subject_revoked']).toContain(await reasonOf(body.request_id));
    // Disabling ends the families, too; the person alone must be enough.
    await app.sql('delete from revocations');
    await refused(() => asked(), 400, 'invalid_grant', 'subject_user_disabled');
  });

  it('[D6] a family that is bound to a key, without a proof by that key', async () => {
    const key = await aKey();
    await app.sql('update families set jkt = $1 where client_id = $2', [key.jkt, at.client.id]);
    await refused(() => asked(), 400, 'invalid_dpop_proof', 'dpop_missing');
    const proven = async (by: typeof key) => askWith(app, await aProof(app, by), formOf(at), at.client);
    const another = await aKey();
    await refused(() => proven(another), 400, 'invalid_grant', 'key_mismatch');
    expect((await proven(key)).status).toBe(200);
  });

  it('an audience that nobody registered, or for another client only', async () => {
    for (const audience of ['https://other.example', `${AUDIENCE}/`, AUDIENCE.toUpperCase(), app.issuer])
      await refused(() => asked({ audience }), 403, 'access_denied', 'audience_unregistered');
    const own = 'https://own.example';
    await anIssuing(app, { audience: { audience: own } });
    await refused(() => asked({ audience: own }), 403, 'access_denied', 'audience_unregistered');
    await works();
  });

  it('an audience that is a resource of ours, where an assertion could pass for an access token', async () => {
    const { uri } = await aResource(app);
    const before = await anIssuing(app, { audience: { audience: uri } });
    await refused(() => askForIdJag(before, { audience: uri }), 403, 'access_denied', 'audience_is_resource');
  });

  it('an audience that is switched off or taken away, from the next request on, in every replica', async () => {
    const replica = await startIssuingApp(settings, app);
    const there = () => askForIdJag({ ...at, app: replica });
    expect((await there()).status).toBe(200);
    await change({ enabled: false });
    await refused(there, 403, 'access_denied', 'audience_disabled');
    await change({ enabled: true });
    expect((await there()).status).toBe(200);
    await app.admin('DELETE', `/admin/xaa/audiences/${at.audience.id}`);
    await refused(there, 403, 'access_denied', 'audience_unregistered');
    await replica.close();
  });

  it('[E10 X10] a scope or a resource beyond what the operator allows', async () => {
    await change({ scopes: ['notes:read'] });
    for (const scope of ['notes:write', 'notes:read notes:write', 'admin'])
      await refused(() => asked({ scope }), 400, 'invalid_scope', 'audience_scope');
    for (const resource of [`${THERE}/`, THERE.slice(0, -1), at.resource.uri, 'https://partner.example/mcp'])
      await refused(() => asked({ resource }), 400, 'invalid_target', 'audience_resource');
    await works();
  });

  it('[X1] a request without a subject token, its type or an audience', async () => {
    for (const name of ['subject_token', 'subject_token_type', 'audience']) {
      const { [name]: _, ...form } = formOf(at);
      const ask = () => postForm(app, '/oauth/token', form, at.client);
      await refused(ask, 400, 'invalid_request', 'parameter_missing');
    }
  });

  it.each(['access_token', 'jwt', 'id_token', 'saml2', 'id-jag'])('a subject token of type %s', async (type) => {
    const types = { subject_token_type: `urn:ietf:params:oauth:token-type:${type}` };
    await refused(() => asked(types), 400, 'invalid_request', 'token_type_unsupported');
    await refused(
      () => askForIdJag({ ...at, refreshToken: at.token }, types),
      400,
      'invalid_request',
      'token_type_unsupported',
    );
  });

  it('an actor, whose part no draft defines', async () => {
    const actor = { actor_token: at.token, actor_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
    await refused(() => asked(actor), 400, 'invalid_request', 'token_type_unsupported');
  });

  it('[E9] a client without a secret, or without the grant', async () => {
    const open = await anIssuing(app);
    // No API makes such a client; an older one could be there.
    await app.sql(`update clients set token_endpoint_auth_method = 'none', version = version + 1 where id = $1`, [
      open.client.id,
    ]);
    const withoutSecret = { ...open, client: { ...open.client, secret: undefined } };
    await refused(() => askForIdJag(withoutSecret), 401, 'invalid_client', 'credentials_missing');
    const plain = await anIssuing(app, { client: await aConfidentialClient(app) });
    await refused(() => askForIdJag(plain), 400, 'unauthorized_client', 'grant_not_registered');
  });
});

const reasonOf = async (requestId: string): Promise<string | undefined> =>
  (await app.sql<{ reason: string }>('select reason from audit_events where request_id = $1', [requestId]))[0]?.reason;

describe('a chain of assertions', () => {
  it('has no second link: what an assertion gave has no refresh token, and its access token is no subject', async () => {
    const idp = await aStubIdp();
    const grants = [JWT_BEARER, EXCHANGE, 'authorization_code', 'refresh_token'];
    const redirects = ['https://client.example/callback'];
    const flow = await anXaaFlow(app, idp, { client: { grant_types: grants, redirect_uris: redirects } });
    const audience = { audience: AUDIENCE, client_id: flow.client.id, audience_client_id: 'x' };
    await created(app, '/admin/xaa/audiences', { ...audience, resources: [THERE], scopes: [] });
    const { body } = await present(flow, await assertionOf(flow));
    expect(body).not.toHaveProperty('refresh_token');
    expect(await app.sql('select id from families where client_id = $1', [flow.client.id])).toEqual([]);
    const chained = { app, client: flow.client, refreshToken: body.access_token };
    const asAccessToken = { subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
    await refused(() => askForIdJag(chained, asAccessToken), 400, 'invalid_request', 'token_type_unsupported');
    await refused(() => askForIdJag(chained), 400, 'invalid_grant', 'subject_unknown');
    await idp.close();
  });

  it('does not begin with our own assertion: it is no subject of an exchange, and jwt-bearer refuses it', async () => {
    const { body } = await asked();
    const assertion = body.access_token;
    await refused(() => exchange(app, at.client, assertion), 400, 'invalid_grant', 'subject_signature');
    await refused(() => askForIdJag({ ...at, refreshToken: assertion }), 400, 'invalid_grant', 'subject_unknown');

    const client = await anAgent(app, { grant_types: [JWT_BEARER], redirect_uris: [], scope: 'notes:read' });
    // As one that an operator had let be made for ourselves: no row of the API can say this.
    await app.sql('update id_jag_audiences set audience = $1, audience_client_id = $2, resources = $3 where id = $4', [
      app.issuer,
      client.id,
      [at.resource.uri],
      at.audience.id,
    ]);
    const forUs = await asked({ audience: app.issuer });
    expect(forUs.status).toBe(200);
    const used = () => app.sql('select key from used_assertions');
    const [before, usedBefore] = [await issuances(app), await used()];
    await expectRefused(
      app,
      () => present({ app, client }, forUs.body.access_token),
      [400, 'invalid_grant', 'assertion_self_issued'],
      'jwt_bearer.denied',
    );
    expect(await issuances(app)).toBe(before);
    expect(await used()).toEqual(usedBefore);
  });
});

/** The table that the request needs for nothing but its storing statement. */
const HOLD_STORING = 'lock table issuances in access exclusive mode';

describe('what changes between decision and storing', () => {
  // The first request of all learns what is there now. The second is decided on that, and on nothing that is old already.
  const meanwhile = (happens: () => Promise<unknown>) => () => whileHeld(app, HOLD_STORING, () => asked(), happens);
  beforeEach(works);

  it('the family is revoked: no assertion', async () => {
    const end = () => postForm(app, '/oauth/revoke', { token: at.refreshToken }, at.client);
    await refused(meanwhile(end), 400, 'invalid_grant', 'subject_revoked');
  });

  it('the consent is withdrawn: no assertion, for nobody could ask about it later', async () => {
    await refused(meanwhile(endConsent), 400, 'invalid_grant', 'subject_consent_withdrawn');
  });

  it('the audience is switched off: no assertion', async () => {
    await refused(
      meanwhile(() => change({ enabled: false })),
      403,
      'access_denied',
      'audience_disabled',
    );
  });

  it('the person is disabled: no assertion', async () => {
    const ask = meanwhile(() =>
      app.sql(`update users set status = 'disabled', version = version + 1 where id = $1`, [at.user.id]),
    );
    await refused(ask, 400, 'invalid_grant', 'subject_user_disabled');
  });

  it('the client is suspended: no assertion', async () => {
    const ask = meanwhile(() => app.admin('PATCH', `/admin/clients/${at.client.id}/suspend`));
    await refused(ask, 401, 'invalid_client', 'client_suspended');
  });

  it('the token is spent: no assertion', async () => {
    const spend = () =>
      app.sql('update families set generation = 2, live_hash = $2, previous_hash = live_hash where client_id = $1', [
        at.client.id,
        Buffer.alloc(32),
      ]);
    await refused(meanwhile(spend), 400, 'invalid_grant', 'subject_spent');
  });

  it('the family reaches its end: no assertion', async () => {
    const end = () =>
      app.sql('update families set expires_at = $2 where client_id = $1', [at.client.id, app.clock.now()]);
    await refused(meanwhile(end), 400, 'invalid_grant', 'subject_expired');
  });
});
