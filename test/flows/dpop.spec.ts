import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  allow,
  aResource,
  audited,
  aUser,
  introspect,
  pkce,
  type Flow,
  type GrantedCode,
  type ResourceFixture,
  type TokenResponse,
} from '../builders.js';
import { aKey, aProof, askWith, proofKeyOf, type ProofKey } from '../dpop.js';
import { ACCESS_TOKEN, anAgent, EXCHANGE } from '../exchanges.js';
import { whileHeld } from '../held-lock.js';

const plainHttp = { [oauth.allowInsecureRequests]: true };

let app: TestApp;
let strict: TestApp;
let key: ProofKey;
beforeAll(async () => {
  const settings = { CLIENT_CREDENTIALS_ENABLED: 'true', TOKEN_EXCHANGE_ENABLED: 'true' };
  app = await startTestApp({ settings });
  strict = await startTestApp({ beside: app, settings: { ...settings, DPOP_REQUIRE_NONCE: 'true' } });
  key = await aKey();
});
afterAll(async () => {
  await strict.close();
  await app.close();
});

const claimsOf = (token: string): Record<string, any> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString());

const codeForm = ({ code, verifier }: GrantedCode) => ({
  grant_type: 'authorization_code',
  code,
  code_verifier: verifier,
});
const redeemWith = (granted: GrantedCode, proof?: string): Promise<TokenResponse> =>
  askWith(app, proof, codeForm(granted), granted.client);
const refreshWith = ({ client }: Flow, token: string, proof?: string): Promise<TokenResponse> =>
  askWith(app, proof, { grant_type: 'refresh_token', refresh_token: token }, client);
const proof = (by = key, claims: Record<string, unknown> = {}): Promise<string> => aProof(app, by, claims);

const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];

describe('a token request with a proof', () => {
  it('[D5 D10 D12 B9] gets a token bound to the key, in the token, its record and introspection', async () => {
    const flow = await aFlow(app);
    const server = await aConfidentialClient(app);
    await app.admin('PATCH', `/admin/resources/${flow.resource.id}`, {
      policy: { runtime: { client_ids: [server.id] } },
    });
    const { status, body, headers } = await redeemWith(await aGrantedCode(flow), await proof());
    expect([status, body.token_type]).toEqual([200, 'DPoP']);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('dpop-nonce')).toMatch(/^[\w-]{43}$/);
    const { cnf, jti } = claimsOf(body.access_token);
    expect(cnf).toEqual({ jkt: key.jkt });
    expect(await app.sql('select dpop_jkt from issuances where jti = $1', [jti])).toEqual([{ dpop_jkt: key.jkt }]);
    expect(await introspect(app, body.access_token, server)).toMatchObject({
      token_type: 'DPoP',
      cnf: { jkt: key.jkt },
    });
    expect((await app.admin('GET', `/admin/issuances/${jti}`)).body).toMatchObject({ dpop_jkt: key.jkt });
  });

  it('[D12] gets a nonce, and a request without one does not', async () => {
    const flow = await aFlow(app);
    const without = await redeemWith(await aGrantedCode(flow));
    expect([without.status, without.body.token_type, without.headers.get('dpop-nonce')]).toEqual([200, 'Bearer', null]);
    expect(claimsOf(without.body.access_token)).not.toHaveProperty('cnf');
  });

  it('is served when it names the endpoint in another spelling of the same URL', async () => {
    const htu = `${app.issuer.replace('http://localhost', 'HTTP://LOCALHOST')}/oauth/./%74oken?a=b#c`;
    expect(outcome(await redeemWith(await aGrantedCode(await aFlow(app)), await proof(key, { htu })))).toEqual([
      200,
      'DPoP',
    ]);
  });

  it('[D16] is spent once, also when the request is decided again because its client was changed meanwhile', async () => {
    const draft = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };
    const client = await aConfidentialClient(app, draft);
    const sent = await proof();
    const answer = await whileHeld(
      app,
      'lock table issuances in access exclusive mode',
      () => askWith(app, sent, { grant_type: 'client_credentials' }, client),
      () => app.admin('PATCH', `/admin/clients/${client.id}`, { client_name: 'Another name' }),
    );
    expect(outcome(answer)).toEqual([200, 'DPoP']);
  });

  it('is passed over where DPoP is off, and then nobody gets what needs one', async () => {
    const off = await startTestApp({
      beside: app,
      settings: { DPOP_ENABLED: 'false', CLIENT_CREDENTIALS_ENABLED: 'true' },
    });
    const draft = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };
    const client = await aConfidentialClient(app, draft);
    const bound = await aConfidentialClient(app, { ...draft, dpop_bound_access_tokens: true });
    const form = { grant_type: 'client_credentials' };
    const answer = await askWith(off, await proof(), form, client);
    expect([...outcome(answer), answer.headers.get('dpop-nonce')]).toEqual([200, 'Bearer', null]);
    expect(outcome(await askWith(off, await proof(), form, bound))).toEqual([400, 'invalid_dpop_proof']);
    const metadata = await (await fetch(`${off.url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).not.toHaveProperty('dpop_signing_alg_values_supported');
    await off.close();
  });

  it('[D8] may be signed with what the metadata lists', async () => {
    const metadata = await (await fetch(`${app.url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata.dpop_signing_alg_values_supported).toEqual(['ES256', 'RS256', 'PS256', 'EdDSA']);
    const draft = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };
    const client = await aConfidentialClient(app, draft);
    for (const alg of metadata.dpop_signing_alg_values_supported) {
      const signed = await aProof(app, await aKey(alg), {}, { alg });
      expect([alg, ...outcome(await askWith(app, signed, { grant_type: 'client_credentials' }, client))]).toEqual([
        alg,
        200,
        'DPoP',
      ]);
    }
  });
});

describe('[D6] the refresh tokens of a public client', () => {
  it('are bound to the key of the first proof', async () => {
    const flow = await aFlow(app);
    const { body } = await redeemWith(await aGrantedCode(flow), await proof());
    expect(outcome(await refreshWith(flow, body.refresh_token))).toEqual([400, 'invalid_dpop_proof']);
    const other = await refreshWith(flow, body.refresh_token, await proof(await aKey()));
    expect([...outcome(other), other.body.error_description]).toEqual([
      400,
      'invalid_grant',
      'token is bound to another key',
    ]);
    const next = await refreshWith(flow, body.refresh_token, await proof());
    expect(outcome(next)).toEqual([200, 'DPoP']);
    expect(claimsOf(next.body.access_token)['cnf']).toEqual({ jkt: key.jkt });
  });

  it('become bound when the first proof comes with a refresh', async () => {
    const flow = await aFlow(app);
    const { body } = await redeemWith(await aGrantedCode(flow));
    const bound = await refreshWith(flow, body.refresh_token, await proof());
    expect(outcome(bound)).toEqual([200, 'DPoP']);
    expect(outcome(await refreshWith(flow, bound.body.refresh_token))).toEqual([400, 'invalid_dpop_proof']);
  });

  it('may be repeated at once by their key, as a lost answer must not log anybody out', async () => {
    const flow = await aFlow(app);
    const { body } = await redeemWith(await aGrantedCode(flow), await proof());
    const first = await refreshWith(flow, body.refresh_token, await proof());
    const again = await refreshWith(flow, body.refresh_token, await proof());
    expect([again.status, again.body.access_token]).toEqual([200, first.body.access_token]);
    app.clock.advance(11);
    expect((await refreshWith(flow, body.refresh_token, await proof())).body.error).toBe('invalid_grant');
    expect((await refreshWith(flow, first.body.refresh_token, await proof())).body.error).toBe('invalid_grant');
  });

  it('are bound for nobody else: a confidential client may change its key', async () => {
    const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
    const { body } = await redeemWith(await aGrantedCode(flow), await proof());
    const other = await aKey();
    const next = await refreshWith(flow, body.refresh_token, await proof(other));
    expect(claimsOf(next.body.access_token)['cnf']).toEqual({ jkt: other.jkt });
    expect(outcome(await refreshWith(flow, next.body.refresh_token))).toEqual([200, 'Bearer']);
  });
});

describe('[D14 D19] dpop_jkt on the authorization request', () => {
  it('binds the code to that key; a refused redemption spends nothing', async () => {
    const flow = await aFlow(app);
    const granted = await aGrantedCode(flow, { dpop_jkt: key.jkt });
    expect(outcome(await redeemWith(granted))).toEqual([400, 'invalid_dpop_proof']);
    expect(outcome(await redeemWith(granted, await proof(await aKey())))).toEqual([400, 'invalid_grant']);
    expect(outcome(await redeemWith(granted, await proof()))).toEqual([200, 'DPoP']);
  });

  it('must be a thumbprint', async () => {
    const back = await fetch(
      `${app.url}/oauth/authorize?${new URLSearchParams({ ...(await requestOf(await aFlow(app))), dpop_jkt: 'abc' })}`,
      { redirect: 'manual' },
    );
    expect(new URL(back.headers.get('location')!).searchParams.get('error')).toBe('invalid_request');
  });
});

const requestOf = async ({ client, resource }: Flow) => ({
  response_type: 'code',
  client_id: client.id,
  redirect_uri: client.redirectUri,
  resource: resource.uri,
  code_challenge: pkce().challenge,
  code_challenge_method: 'S256',
});

describe('a proof is required', () => {
  it('[D9] of a client that says so at registration, or of which the operator says so', async () => {
    const members = { redirect_uris: ['https://client.example/callback'], token_endpoint_auth_method: 'none' };
    const registered = await fetch(`${app.url}/oauth/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ ...members, dpop_bound_access_tokens: true }),
    });
    const self = await registered.json();
    expect(self).toMatchObject({ dpop_bound_access_tokens: true });
    const [user, resource] = await Promise.all([aUser(app), aResource(app)]);
    const client = { id: self.client_id, redirectUri: members.redirect_uris[0]! };
    const granted = await aGrantedCode({ app, client, user, resource });
    const refused = await redeemWith(granted);
    expect([...outcome(refused), refused.body.error_description]).toEqual([
      400,
      'invalid_dpop_proof',
      'a DPoP proof is required',
    ]);
    expect(outcome(await redeemWith(granted, await proof()))).toEqual([200, 'DPoP']);

    const flow = await aFlow(app);
    const path = `/admin/clients/${flow.client.id}`;
    expect((await app.admin('PATCH', path, { dpop_bound_access_tokens: true })).body).toMatchObject({
      dpop_bound_access_tokens: true,
    });
    expect(outcome(await redeemWith(await aGrantedCode(flow)))).toEqual([400, 'invalid_dpop_proof']);
  });

  it('[D9] for a resource that says so, whose metadata says it', async () => {
    const resource = await aResource(app, { dpop_required: true });
    const prm = await (await fetch(`${app.url}/.well-known/oauth-protected-resource/${resource.slug}`)).json();
    expect(prm).toMatchObject({ dpop_bound_access_tokens_required: true });
    const [client, user] = await Promise.all([aClient(app), aUser(app)]);
    const granted = await aGrantedCode({ app, client, user, resource });
    expect(outcome(await redeemWith(granted))).toEqual([400, 'invalid_dpop_proof']);
    expect((await audited(app, 'token.issue_denied'))[0]).toMatchObject({ reason: 'dpop_missing' });
    expect(outcome(await redeemWith(granted, await proof()))).toEqual([200, 'DPoP']);
    expect(
      (await app.admin('PATCH', `/admin/resources/${resource.id}`, { dpop_required: false })).body.dpop_required,
    ).toBe(false);
  });
});

/** Tries again with the nonce it was given, as its readers are told to. */
async function withNonce<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (oauth.isDPoPNonceError(error)) return attempt();
    throw error;
  }
}

describe.each(['without', 'with'])('clients that others wrote, %s nonces', (which) => {
  const at = (): TestApp => (which === 'with' ? strict : app);

  it('[D5 D6 D12] oauth4webapi obtains, binds and refreshes', async () => {
    const flow = await aFlow(app);
    const as = { issuer: app.issuer, token_endpoint: `${app.issuer}/oauth/token` };
    const client: oauth.Client = { client_id: flow.client.id };
    const keyPair = await oauth.generateKeyPair('ES256');
    const DPoP = oauth.DPoP(client, keyPair);
    const { verifier, challenge } = pkce();
    const redirect = await allow(flow, challenge, { dpop_jkt: await DPoP.calculateThumbprint() });
    const parameters = oauth.validateAuthResponse(
      { ...as, authorization_response_iss_parameter_supported: true },
      client,
      redirect,
      'a-state',
    );
    const elsewhere = {
      ...plainHttp,
      DPoP,
      [oauth.customFetch]: (url: string, init: RequestInit) => fetch(url.replace(app.issuer, at().url), init),
    };
    const granted = await withNonce(async () => {
      const response = await oauth.authorizationCodeGrantRequest(
        as,
        client,
        oauth.None(),
        parameters,
        flow.client.redirectUri,
        verifier,
        elsewhere as never,
      );
      return oauth.processAuthorizationCodeResponse(as, client, response);
    });
    expect(granted.token_type).toBe('dpop');
    const refreshed = await withNonce(async () => {
      const response = await oauth.refreshTokenGrantRequest(
        as,
        client,
        oauth.None(),
        granted.refresh_token!,
        elsewhere as never,
      );
      return oauth.processRefreshTokenResponse(as, client, response);
    });
    expect(claimsOf(refreshed.access_token)['cnf']).toEqual({ jkt: await DPoP.calculateThumbprint() });
  });

  it('[D5 D12] openid-client obtains and refreshes', async () => {
    const flow = await aFlow(app);
    const config = await openid.discovery(new URL(app.issuer), flow.client.id, undefined, openid.None(), {
      algorithm: 'oauth2',
      execute: [openid.allowInsecureRequests],
    });
    config[openid.customFetch] = (url, init) => fetch(url.replace(app.issuer, at().url), init as RequestInit);
    const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
    const { verifier, challenge } = pkce();
    const redirect = await allow(flow, challenge);
    const checks = { pkceCodeVerifier: verifier, expectedState: 'a-state' };
    const granted = await openid.authorizationCodeGrant(config, redirect, checks, undefined, { DPoP });
    const refreshed = await openid.refreshTokenGrant(config, granted.refresh_token!, undefined, { DPoP });
    expect([granted.token_type, refreshed.token_type]).toEqual(['dpop', 'dpop']);
  });

  it('[D5 X2] exchange a bound token for another resource, with the key it is bound to', async () => {
    const [agent, user, source, target] = await Promise.all([anAgent(app), aUser(app), aResource(app), aResource(app)]);
    const bound = async (resource: ResourceFixture, sent?: string): Promise<string> =>
      (await redeemWith(await aGrantedCode({ app, client: agent, user, resource }), sent)).body.access_token;
    await bound(target);
    const parameters = { subject_token_type: ACCESS_TOKEN, resource: target.uri };

    const as = { issuer: app.issuer, token_endpoint: `${app.issuer}/oauth/token` };
    const client: oauth.Client = { client_id: agent.id };
    const keyPair = await oauth.generateKeyPair('ES256', { extractable: true });
    const own = await proofKeyOf(keyPair);
    const DPoP = oauth.DPoP(client, keyPair);
    const elsewhere = {
      ...plainHttp,
      DPoP,
      [oauth.customFetch]: (to: string, init: RequestInit) => fetch(to.replace(app.issuer, at().url), init),
    };
    const subject_token = await bound(source, await proof(own));
    const byOauth = await withNonce(async () => {
      const response = await oauth.genericTokenEndpointRequest(
        as,
        client,
        oauth.ClientSecretBasic(agent.secret!),
        EXCHANGE,
        { ...parameters, subject_token },
        elsewhere as never,
      );
      return oauth.processGenericTokenEndpointResponse(as, client, response);
    });

    const config = await openid.discovery(
      new URL(app.issuer),
      agent.id,
      undefined,
      openid.ClientSecretBasic(agent.secret!),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    );
    config[openid.customFetch] = (to, init) => fetch(to.replace(app.issuer, at().url), init as RequestInit);
    const handle = openid.getDPoPHandle(config, keyPair);
    const again = { ...parameters, subject_token };
    const byOpenid = await openid.genericGrantRequest(config, EXCHANGE, again, { DPoP: handle });
    for (const { token_type, access_token } of [byOauth, byOpenid]) {
      expect([token_type, claimsOf(access_token)['cnf'], claimsOf(access_token)['aud']]).toEqual([
        'dpop',
        { jkt: own.jkt },
        [target.uri],
      ]);
    }
  });
});
