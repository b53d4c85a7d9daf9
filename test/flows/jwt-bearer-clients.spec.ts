import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, aKeyPair, asForm, assertionOf as clientAssertionOf } from '../assertions.js';
import { postForm } from '../builders.js';
import { documentHost, documentsFromHere, type DocumentHost } from '../document-host.js';
import { aKey, aProof, askWith } from '../dpop.js';
import { expectRefused, issuances } from '../exchanges.js';
import { anXaaFlow, assertionOf, aStubIdp, JWT_BEARER, type StubIdp, type XaaFlow } from '../idp.js';

const settings = { ...documentsFromHere, XAA_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false' };

let app: TestApp;
let idp: StubIdp;
let flow: XaaFlow;
let host: DocumentHost;
beforeAll(async () => {
  [app, idp, host] = await Promise.all([startTestApp({ settings }), aStubIdp(), documentHost()]);
  flow = await anXaaFlow(app, idp, { policy: { client_ids: [] } });
});
afterAll(async () => {
  await app.close();
  await Promise.all([idp.close(), host.close()]);
});

const used = () => app.sql('select key from used_assertions order by key');

describe('an identity assertion and a client with a key pair', () => {
  it('[E9 J2] registered by the operator: is had with its own assertion, and neither stands for the other', async () => {
    const grant = { grant_types: [JWT_BEARER], redirect_uris: [], scope: 'notes:read' };
    const client = await aKeyClient(app, grant);
    const assertion = await assertionOf({ ...flow, client });
    const ask = async (form: Record<string, string>) =>
      postForm(app, '/oauth/token', { grant_type: JWT_BEARER, assertion, ...form });
    expect((await ask(asForm(assertion))).body.error).toBe('invalid_client');
    const own = () => clientAssertionOf(app, client.id, client.pair);
    expect((await ask({ ...asForm(await own()), assertion: await own() })).body.error).toBe('invalid_grant');
    const { status, body } = await ask(asForm(await own()));
    expect([status, body.scope]).toEqual([200, 'notes:read']);
  });

  it('[E9] known by its metadata document: has not the grant, whatever the document or the operator says', async () => {
    const pair = await aKeyPair();
    const members = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [pair.publicJwk] },
      grant_types: ['authorization_code', JWT_BEARER],
    };
    const id = host.put('/agent.json', { members });
    const stored = await app.admin('PATCH', `/admin/clients/${encodeURIComponent(id)}`, { scope: 'notes:read' });
    expect([stored.status, stored.body.grant_types]).toEqual([200, ['authorization_code']]);
    const client = { id, redirectUri: '' };
    const before = await used();
    await expectRefused(
      app,
      async () => {
        const form = asForm(await clientAssertionOf(app, id, pair));
        const assertion = await assertionOf({ ...flow, client });
        return postForm(app, '/oauth/token', { grant_type: JWT_BEARER, assertion, ...form });
      },
      [400, 'unauthorized_client', 'grant_not_registered'],
      'jwt_bearer.denied',
    );
    // Its own assertion counted, and works once; the one that it presented did not.
    expect(await used()).toHaveLength(before.length + 1);
    const change = { grant_types: ['authorization_code', JWT_BEARER] };
    const { status, body } = await app.admin('PATCH', `/admin/clients/${encodeURIComponent(id)}`, change);
    expect([status, body.code]).toEqual([409, 'client_described_by_document']);
  });
});

describe('an identity assertion that is bound to a key', () => {
  it('[E6] is refused without a proof, and with a proof by another key, and is not used up by that', async () => {
    const [key, another] = [await aKey(), await aKey()];
    const assertion = await assertionOf(flow, { cnf: { jkt: key.jkt } });
    const ask = (proof?: string) => askWith(app, proof, { grant_type: JWT_BEARER, assertion }, flow.client);
    const [before, usedBefore] = [await issuances(app), await used()];
    const refusal: [number, string, string] = [400, 'invalid_grant', 'assertion_key'];
    await expectRefused(app, () => ask(), refusal, 'jwt_bearer.denied');
    await expectRefused(app, async () => ask(await aProof(app, another)), refusal, 'jwt_bearer.denied');
    expect([await issuances(app), await used()]).toEqual([before, usedBefore]);
    const { status, body } = await ask(await aProof(app, key));
    expect([status, body.token_type]).toEqual([200, 'DPoP']);
    await expectRefused(
      app,
      async () => ask(await aProof(app, key)),
      [400, 'invalid_grant', 'assertion_replayed'],
      'jwt_bearer.denied',
    );
  });
});
