import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { aKeyClient, type KeyPair } from '../assertions.js';
import { aFlow, allow, aResource, aUser, pkce, type ClientFixture, type ResourceFixture } from '../builders.js';
import { ACCESS_TOKEN, claimsOf, EXCHANGE, startExchangingApp } from '../exchanges.js';
import { HttpBrowser } from '../http-browser.js';

/** The one thing that must be allowed: the test's server speaks http, which the libraries refuse unless told otherwise. */
const plainHttp = { [oauth.allowInsecureRequests]: true };

type Tokens = oauth.TokenEndpointResponse;
type Registered = ClientFixture & { pair?: KeyPair };
type Fetch = (url: string, init: object) => Promise<Response>;

/** A client with a key of its own, who sends a proof with every request for a token. */
interface Party {
  readonly handle: oauth.DPoPHandle;
  obtain(back: URL, verifier: string): Promise<Tokens>;
  refresh(token: string): Promise<Tokens>;
  exchange(parameters: Record<string, string>): Promise<Tokens>;
  asItself(parameters: Record<string, string>): Promise<Tokens>;
}

type Library = (issuer: string, client: Registered, send: Fetch) => Promise<Party>;

async function metadataOf(issuer: string): Promise<oauth.AuthorizationServer> {
  const url = new URL(issuer);
  const response = await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...plainHttp });
  return oauth.processDiscoveryResponse(url, response);
}

/** Tries once more with the nonce that the handle was given, as the readers of oauth4webapi are told to. */
async function answered(ask: () => Promise<Response>, read: (answer: Response) => Promise<Tokens>): Promise<Tokens> {
  try {
    return await read(await ask());
  } catch (error) {
    if (!oauth.isDPoPNonceError(error)) throw error;
    return read(await ask());
  }
}

const withOauth4webapi: Library = async (issuer, { id, pair, redirectUri }, send) => {
  const as = await metadataOf(issuer);
  const client: oauth.Client = { client_id: id };
  const auth = pair ? oauth.PrivateKeyJwt({ key: pair.privateKey, kid: pair.kid }) : oauth.None();
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair('ES256'));
  const options = { ...plainHttp, DPoP, [oauth.customFetch]: send };
  return {
    handle: DPoP,
    obtain: (back, verifier) => {
      const callback = oauth.validateAuthResponse(as, client, back, 'a-state');
      return answered(
        () => oauth.authorizationCodeGrantRequest(as, client, auth, callback, redirectUri, verifier, options),
        (answer) => oauth.processAuthorizationCodeResponse(as, client, answer),
      );
    },
    refresh: (token) =>
      answered(
        () => oauth.refreshTokenGrantRequest(as, client, auth, token, options),
        (answer) => oauth.processRefreshTokenResponse(as, client, answer),
      ),
    exchange: (parameters) =>
      answered(
        () => oauth.genericTokenEndpointRequest(as, client, auth, EXCHANGE, parameters, options),
        (answer) => oauth.processGenericTokenEndpointResponse(as, client, answer),
      ),
    asItself: (parameters) =>
      answered(
        () => oauth.clientCredentialsGrantRequest(as, client, auth, parameters, options),
        (answer) => oauth.processClientCredentialsResponse(as, client, answer),
      ),
  };
};

const withOpenidClient: Library = async (issuer, { id, pair }, send) => {
  const auth = pair ? openid.PrivateKeyJwt({ key: pair.privateKey, kid: pair.kid }) : openid.None();
  const config = await openid.discovery(new URL(issuer), id, undefined, auth, {
    algorithm: 'oauth2',
    execute: [openid.allowInsecureRequests],
    [openid.customFetch]: send,
  });
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair());
  return {
    handle: DPoP,
    obtain: (back, pkceCodeVerifier) =>
      openid.authorizationCodeGrant(config, back, { pkceCodeVerifier, expectedState: 'a-state' }, undefined, { DPoP }),
    refresh: (token) => openid.refreshTokenGrant(config, token, undefined, { DPoP }),
    exchange: (parameters) => openid.genericGrantRequest(config, EXCHANGE, parameters, { DPoP }),
    asItself: (parameters) => openid.clientCredentialsGrant(config, parameters, { DPoP }),
  };
};

const libraries: [string, Library][] = [
  ['oauth4webapi', withOauth4webapi],
  ['openid-client', withOpenidClient],
];
const servers: { which: string; settings: Record<string, string>; asked: string[] }[] = [
  { which: 'without', settings: {}, asked: [] },
  { which: 'with', settings: { DPOP_REQUIRE_NONCE: 'true' }, asked: ['use_dpop_nonce'] },
];

describe.each(servers)('clients that others wrote, $which server nonces', ({ settings, asked }) => {
  let app: TestApp;
  beforeAll(async () => {
    app = await startExchangingApp(settings);
  });
  afterAll(() => app.close());

  /** @returns a fetch, and the errors that it brought back */
  function watched(): { errors: string[]; send: Fetch } {
    const errors: string[] = [];
    const send: Fetch = async (url, init) => {
      const response = await fetch(url, init);
      if (!response.ok) errors.push((await response.clone().json()).error);
      return response;
    };
    return { errors, send };
  }

  it.each(libraries)('[D5 D10 D12 D14 X4] %s obtains, binds, refreshes and exchanges', async (_, library) => {
    const grant_types = ['authorization_code', 'refresh_token', 'client_credentials', EXCHANGE];
    const client = await aKeyClient(app, { grant_types, scope: 'notes:read notes:write' });
    const [user, resource, target] = await Promise.all([aUser(app), aResource(app), aResource(app)]);
    const [flow, browser, { verifier, challenge }] = [{ app, client, user, resource }, new HttpBrowser(), pkce()];
    await allow({ ...flow, resource: target }, pkce().challenge, {}, browser);
    const { errors, send } = watched();
    const party = await library(app.issuer, client, send);
    const jkt = await party.handle.calculateThumbprint();

    const granted = await party.obtain(await allow(flow, challenge, { dpop_jkt: jkt }, browser), verifier);
    const refreshed = await party.refresh(granted.refresh_token!);
    const exchanged = await party.exchange({
      subject_token: refreshed.access_token,
      subject_token_type: ACCESS_TOKEN,
      resource: target.uri,
      scope: 'notes:read',
    });
    const machine = await party.asItself({ resource: target.uri });

    const tokens = [granted, refreshed, exchanged, machine];
    expect(tokens.map(({ token_type }) => token_type)).toEqual(Array(4).fill('dpop'));
    const [here, there] = [resource, target].map(({ uri }) => ({ cnf: { jkt }, aud: [uri] }));
    expect(tokens.map(({ access_token }) => claimsOf(access_token))).toMatchObject([
      { ...here, sub: user.id, scope: 'notes:read notes:write' },
      { ...here, sub: user.id, scope: 'notes:read notes:write' },
      { ...there, sub: user.id, scope: 'notes:read' },
      { ...there, sub: client.id, scope: 'notes:read notes:write' },
    ]);
    expect(errors).toEqual(asked);
    await expectTaken(app.issuer, exchanged.access_token, target, party.handle);
  });

  it.each(libraries)('[D6] %s refreshes for a public client, and for nobody with another key', async (_, library) => {
    const [flow, { verifier, challenge }] = [await aFlow(app), pkce()];
    const [party, thief] = [
      await library(app.issuer, flow.client, fetch as Fetch),
      await library(app.issuer, flow.client, fetch as Fetch),
    ];
    const granted = await party.obtain(await allow(flow, challenge), verifier);
    await expect(thief.refresh(granted.refresh_token!)).rejects.toMatchObject({ error: 'invalid_grant' });
    const { access_token } = await party.refresh(granted.refresh_token!);
    expect(claimsOf(access_token).cnf).toEqual({ jkt: await party.handle.calculateThumbprint() });
  });
});

/** That a resource server takes the token with the proof that the library sends along. */
async function expectTaken(issuer: string, token: string, resource: ResourceFixture, DPoP: oauth.DPoPHandle) {
  const sent: Request[] = [];
  await oauth.protectedResourceRequest(token, 'GET', new URL(resource.uri), undefined, null, {
    DPoP,
    [oauth.customFetch]: async (url, { method, headers }) => {
      sent.push(new Request(url, { method, headers }));
      return new Response();
    },
  });
  const options = { ...plainHttp, requireDPoP: true };
  const claims = await oauth.validateJwtAccessToken(await metadataOf(issuer), sent[0]!, resource.uri, options);
  expect(claims.cnf).toEqual({ jkt: await DPoP.calculateThumbprint() });
}
