import * as client from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, aResource, aUser, signIn } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

describe('openid-client', () => {
  it('[K8] obtains, refreshes, introspects and revokes with a client that an operator registered', async () => {
    const [{ id, secret, redirectUri }, user, resource] = await Promise.all([
      aConfidentialClient(app),
      aUser(app),
      aResource(app),
    ]);
    const config = await client.discovery(new URL(app.issuer), id, undefined, client.ClientSecretBasic(secret), {
      algorithm: 'oauth2',
      execute: [client.allowInsecureRequests], // the test's server speaks http
    });

    const pkceCodeVerifier = client.randomPKCECodeVerifier();
    const expectedState = client.randomState();
    const url = client.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: 'notes:read',
      resource: resource.uri,
      code_challenge: await client.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      state: expectedState,
    });
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(url.href), app.issuer);
    const consent = await browser.follow(await signIn(browser, login, user), app.issuer);
    const back = await browser.post(`${app.issuer}/consent`, { ...consent.form('decision'), decision: 'allow' });

    const checks = { pkceCodeVerifier, expectedState };
    const granted = await client.authorizationCodeGrant(config, new URL(back.location!), checks, {
      resource: resource.uri,
    });
    const refreshed = await client.refreshTokenGrant(config, granted.refresh_token!);
    expect(refreshed.scope).toBe('notes:read');
    expect(await client.tokenIntrospection(config, refreshed.access_token)).toMatchObject({
      active: true,
      sub: user.id,
    });
    await client.tokenRevocation(config, refreshed.refresh_token!);
    expect(await client.tokenIntrospection(config, refreshed.access_token)).toEqual({ active: false });
  });
});
