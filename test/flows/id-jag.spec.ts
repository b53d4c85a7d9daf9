import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { audited, introspect, refresh } from '../builders.js';
import { aKey, aProof, askWith } from '../dpop.js';
import { anAgent, exchange, issuances } from '../exchanges.js';
import {
  anIssuing,
  askForIdJag,
  AUDIENCE,
  formOf,
  ID_JAG,
  startIssuingApp,
  THERE,
  verified,
  type Issuing,
} from '../id-jag.js';

let app: TestApp;
let at: Issuing;
beforeAll(async () => {
  app = await startIssuingApp();
});
afterAll(() => app.close());
beforeEach(async () => {
  at = await anIssuing(app);
});

const change = (members: object) => app.admin('PUT', `/admin/xaa/audiences/${at.audience.id}`, members);

describe('an identity assertion of ours', () => {
  it('[E1 X4] is had for a refresh token, for one audience, signed by our key, and is no access token', async () => {
    const { status, headers, body } = await askForIdJag(at, { resource: THERE, scope: 'notes:read' });
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    const { access_token: assertion, ...rest } = body;
    expect(rest).toEqual({ issued_token_type: ID_JAG, token_type: 'N_A', expires_in: 300, scope: 'notes:read' });
    const { payload, protectedHeader } = await verified(app, assertion);
    expect(Object.keys(protectedHeader).toSorted()).toEqual(['alg', 'kid', 'typ']);
    const now = Math.floor(app.clock.now().getTime() / 1000);
    expect(payload).toEqual({
      iss: app.issuer,
      sub: at.user.id,
      aud: AUDIENCE,
      client_id: 'agent-there',
      jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      iat: now,
      exp: now + 300,
      resource: THERE,
      scope: 'notes:read',
    });
    expect(await introspect(app, assertion, at.client)).toEqual({ active: false });
  });

  it('names all that the operator allows where the request names nothing', async () => {
    const other = `${THERE}/other`;
    await change({ resources: [THERE, other] });
    const { body } = await askForIdJag(at);
    expect(body.scope).toBe('notes:read notes:write');
    expect(decodeJwt(body.access_token)).toMatchObject({ resource: [THERE, other], scope: 'notes:read notes:write' });
    await change({ scopes: [] });
    const unscoped = (await askForIdJag(at, { resource: other })).body;
    expect(unscoped).not.toHaveProperty('scope');
    expect(decodeJwt(unscoped.access_token)).not.toHaveProperty('scope');
    expect(decodeJwt(unscoped.access_token)['resource']).toBe(other);
  });

  it('tells the e-mail address only where the operator says so', async () => {
    await change({ include_email: true });
    expect(decodeJwt((await askForIdJag(at)).body.access_token)['email']).toBe(at.user.email);
  });

  it('spends nothing: the refresh token gives several, and refreshes afterwards', async () => {
    const [first, second] = [await askForIdJag(at), await askForIdJag(at)];
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(decodeJwt(first.body.access_token).jti).not.toBe(decodeJwt(second.body.access_token).jti);
    const next = await refresh(at, at.refreshToken);
    expect(next.status).toBe(200);
    expect((await askForIdJag({ ...at, refreshToken: next.body.refresh_token })).status).toBe(200);
  });

  it('is bound to the key of a proof, and never ends after its family', async () => {
    const key = await aKey();
    const { body } = await askWith(app, await aProof(app, key), formOf(at), at.client);
    expect(body.token_type).toBe('N_A');
    expect(decodeJwt(body.access_token)['cnf']).toEqual({ jkt: key.jkt });
    await app.sql(`update families set expires_at = $1 where client_id = $2`, [
      new Date(app.clock.now().getTime() + 42_000),
      at.client.id,
    ]);
    expect((await askForIdJag(at)).body.expires_in).toBe(42);
  });

  it('leaves a row and an audit event that say who, for whom and by which permission', async () => {
    const { body } = await askForIdJag(at, { scope: 'notes:read' });
    const { jti } = decodeJwt(body.access_token);
    const [family] = await app.sql<{ id: string; consent_id: string }>(
      'select id, consent_id from families where client_id = $1',
      [at.client.id],
    );
    expect((await audited(app, 'xaa.assertion_issued'))[0]).toMatchObject({
      actor_id: at.user.id,
      client_id: at.client.id,
      detail: {
        jti,
        sub: at.user.id,
        audience: AUDIENCE,
        audience_client: 'agent-there',
        resources: [THERE],
        scopes: ['notes:read'],
        family: family?.id,
        consent: family?.consent_id,
        allowed_by: at.audience.id,
        email: false,
      },
    });
    const { body: row } = await app.admin('GET', `/admin/issuances/${jti}`);
    expect(row).toMatchObject({
      audience: AUDIENCE,
      client_id: at.client.id,
      subject_user_id: at.user.id,
      resource_id: null,
      scopes: ['notes:read'],
      family_id: family?.id,
      consent_id: family?.consent_id,
      revocable: false,
    });
    expect((await app.admin('DELETE', `/admin/issuances/${jti}`)).status).toBe(409);
    const text = JSON.stringify([await app.sql('select * from audit_events'), app.logged]);
    expect(text).not.toContain(body.access_token.split('.')[2]);
    expect(text).not.toContain(at.refreshToken);
  });
});

describe('the setting xaa.issuing_enabled', () => {
  it('is off by default, the refusal names it, and the metadata tells', async () => {
    const metadata = async ({ url }: TestApp): Promise<any> =>
      (await fetch(`${url}/.well-known/oauth-authorization-server`)).json();
    const on = await metadata(app);
    expect(on.identity_chaining_requested_token_types_supported).toEqual([ID_JAG]);
    expect(on.grant_types_supported).toContain('urn:ietf:params:oauth:grant-type:token-exchange');
    const settings = { XAA_ISSUING_ENABLED: 'false', TOKEN_EXCHANGE_ENABLED: 'true' };
    const without = await startIssuingApp(settings, app);
    expect(await metadata(without)).not.toHaveProperty('identity_chaining_requested_token_types_supported');
    const { status, body } = await askForIdJag({ ...at, app: without });
    expect([status, body.error, body.error_description]).toEqual([
      400,
      'invalid_request',
      'requested_token_type id-jag is not enabled on this server (xaa.issuing_enabled)',
    ]);
    await without.close();
    const bare = await startIssuingApp({ XAA_ISSUING_ENABLED: 'false' }, app);
    expect((await askForIdJag({ ...at, app: bare })).body.error_description).toBe(
      'grant_type token-exchange is not enabled on this server (xaa.issuing_enabled)',
    );
    expect((await exchange(bare, at.client, at.token)).body.error_description).toBe(
      'grant_type token-exchange is not enabled on this server (token_exchange.enabled)',
    );
    await bare.close();
  });

  it('does not switch on the exchange of access tokens', async () => {
    const before = await issuances(app);
    const { status, body } = await exchange(app, at.client, at.token, { resource: at.resource.uri });
    expect([status, body.error, body.error_description]).toEqual([
      400,
      'unsupported_grant_type',
      'grant_type token-exchange is not enabled on this server (token_exchange.enabled)',
    ]);
    expect(await issuances(app)).toBe(before);
  });
});

describe('the operator', () => {
  it('registers audiences, changes them and takes them away, each with its audit event', async () => {
    const { body: list } = await app.admin('GET', `/admin/xaa/audiences?client_id=${at.client.id}`);
    expect(list).toEqual({ audiences: [at.audience] });
    const { body: changed } = await change({ audience_client_id: 'other-there', scopes: ['notes:read'] });
    expect(changed).toMatchObject({ audience: AUDIENCE, audience_client_id: 'other-there', resources: [THERE] });
    expect((await app.admin('GET', `/admin/xaa/audiences/${at.audience.id}`)).body).toEqual(changed);
    expect(decodeJwt((await askForIdJag(at)).body.access_token)['client_id']).toBe('other-there');
    expect((await app.admin('DELETE', `/admin/xaa/audiences/${at.audience.id}`)).status).toBe(204);
    expect((await app.admin('GET', `/admin/xaa/audiences/${at.audience.id}`)).status).toBe(404);
    for (const action of ['xaa.audience_created', 'xaa.audience_updated', 'xaa.audience_deleted'])
      expect((await audited(app, action))[0]).toMatchObject({
        client_id: at.client.id,
        detail: { id: at.audience.id, audience: AUDIENCE },
      });
  });

  it.each<[string, Record<string, unknown>, number]>([
    ['itself as the audience', { audience: 'SELF' }, 400],
    ['itself with a slash as the audience', { audience: 'SELF/' }, 400],
    ['no resource', { resources: [] }, 400],
    ['a resource that is no URI', { resources: ['notes'] }, 400],
    ['a scope that is none', { scopes: ['a b'] }, 400],
    ['no client there', { audience_client_id: '' }, 400],
    ['an audience that the client has already', {}, 409],
  ])('cannot register %s', async (_, members, status) => {
    const good = {
      audience: AUDIENCE,
      client_id: at.client.id,
      audience_client_id: 'x',
      resources: [THERE],
      scopes: [],
    };
    const text = JSON.stringify({ ...good, ...members }).replace('SELF', app.issuer);
    expect((await app.admin('POST', '/admin/xaa/audiences', JSON.parse(text))).status).toBe(status);
  });

  it('lets the same audience be had by two clients, each with its own row', async () => {
    const other = await anIssuing(app, { client: await anAgent(app), audience: { audience_client_id: 'second' } });
    expect(decodeJwt((await askForIdJag(other)).body.access_token)['client_id']).toBe('second');
    expect(decodeJwt((await askForIdJag(at)).body.access_token)['client_id']).toBe('agent-there');
  });
});
