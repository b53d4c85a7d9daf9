import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aResource, aUser, signIn, type ResourceFixture, type UserFixture } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

/** The one thing that must be allowed: the test's server speaks http, which the library refuses unless told otherwise. */
const plainHttp = { [oauth.allowInsecureRequests]: true };
const REDIRECT = 'https://client.example/callback';

let app: TestApp;
let user: UserFixture;
let resource: ResourceFixture;
let as: oauth.AuthorizationServer;

beforeAll(async () => {
  app = await startTestApp();
  user = await aUser(app);
  resource = await aResource(app);
  const issuer = new URL(app.issuer);
  const response = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp });
  as = await oauth.processDiscoveryResponse(issuer, response);
});
afterAll(() => app.close());

async function register(method: string): Promise<{ client: oauth.Client; auth: oauth.ClientAuth }> {
  const response = await oauth.dynamicClientRegistrationRequest(
    as,
    { client_name: 'oauth4webapi', redirect_uris: [REDIRECT], token_endpoint_auth_method: method },
    plainHttp,
  );
  const client = await oauth.processDynamicClientRegistrationResponse(response);
  const secret = client.client_secret as string | undefined;
  if (method === 'client_secret_basic') return { client, auth: oauth.ClientSecretBasic(secret!) };
  if (method === 'client_secret_post') return { client, auth: oauth.ClientSecretPost(secret!) };
  return { client, auth: oauth.None() };
}

/** @returns what the browser brings back, after the library has validated it: state, iss (RFC 9207) and the absence of an error */
async function authorize(client: oauth.Client, verifier: string): Promise<URLSearchParams> {
  const state = oauth.generateRandomState();
  const url = new URL(as.authorization_endpoint!);
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: REDIRECT,
    scope: 'notes:read notes:write',
    resource: resource.uri,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString();
  const browser = new HttpBrowser();
  const login = await browser.follow(await browser.get(url.href), app.issuer);
  const consent = await browser.follow(await signIn(browser, login, user), app.issuer);
  const back = await browser.post(`${app.issuer}/consent`, { ...consent.form('decision'), decision: 'allow' });
  return oauth.validateAuthResponse(as, client, new URL(back.location!), state);
}

describe('oauth4webapi, with every check it has', () => {
  it.each(['none', 'client_secret_basic', 'client_secret_post'])(
    '[A2 A8 9207.2 K8] registers, obtains, verifies, refreshes, introspects and revokes with %s',
    async (method) => {
      const { client, auth } = await register(method);
      const verifier = oauth.generateRandomCodeVerifier();
      const callback = await authorize(client, verifier);
      const granted = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        await oauth.authorizationCodeGrantRequest(as, client, auth, callback, REDIRECT, verifier, {
          additionalParameters: { resource: resource.uri },
          ...plainHttp,
        }),
      );
      expect(granted.scope).toBe('notes:read notes:write');

      const request = new Request(resource.uri, { headers: { authorization: `Bearer ${granted.access_token}` } });
      const claims = await oauth.validateJwtAccessToken(as, request, resource.uri, plainHttp);
      expect(claims).toMatchObject({ sub: user.id, client_id: client.client_id });

      const refreshed = await oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, auth, granted.refresh_token!, plainHttp),
      );
      expect(refreshed.refresh_token).not.toBe(granted.refresh_token);

      if (method !== 'none') {
        const introspection = await oauth.processIntrospectionResponse(
          as,
          client,
          await oauth.introspectionRequest(as, client, auth, refreshed.access_token, plainHttp),
        );
        expect(introspection).toMatchObject({ active: true, iss: app.issuer, aud: [resource.uri] });
      }

      const revocation = await oauth.revocationRequest(as, client, auth, refreshed.refresh_token!, plainHttp);
      expect(await oauth.processRevocationResponse(revocation)).toBeUndefined();
      const dead = await oauth.refreshTokenGrantRequest(as, client, auth, refreshed.refresh_token!, plainHttp);
      await expect(oauth.processRefreshTokenResponse(as, client, dead)).rejects.toMatchObject({
        error: 'invalid_grant',
      });
    },
  );

  it('sees a wrong iss as what it is', async () => {
    const { client } = await register('none');
    const forged = new URL(`${REDIRECT}?code=x&iss=https://evil.example`);
    expect(() => oauth.validateAuthResponse(as, client, forged, oauth.skipStateCheck)).toThrow();
  });
});
