import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { HttpBrowser } from '../http-browser.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  allow,
  aResource,
  audited,
  aUser,
  authorizeUrl,
  introspect,
  pkce,
  redeem,
  signIn,
  tokensOf,
} from '../builders.js';

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp();
});
afterAll(() => app.close());

describe('the authorization code flow', () => {
  it('[A1 A9 K4 9068.1 9068.2 9068.3 9068.4 B12] ends in an access token for one resource, with what was allowed and nothing else', async () => {
    const flow = await aFlow(app);
    const { tokens } = await tokensOf(flow, { scope: 'notes:read' });
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 900, scope: 'notes:read' });

    const keys = createRemoteJWKSet(new URL(`${app.issuer}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await jwtVerify(tokens.access_token, keys, {
      issuer: app.issuer,
      audience: flow.resource.uri,
      typ: 'at+jwt',
    });
    expect(protectedHeader).toEqual({ typ: 'at+jwt', alg: 'ES256', kid: expect.any(String) });
    expect(payload).toEqual({
      iss: app.issuer,
      sub: flow.user.id,
      aud: [flow.resource.uri],
      client_id: flow.client.id,
      scope: 'notes:read',
      iat: expect.any(Number),
      exp: payload.iat! + 900,
      jti: expect.any(String),
    });
  });

  it('[K4] answers with no-store', async () => {
    const { status, headers } = await redeem(await aGrantedCode(await aFlow(app)));
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
  });

  it('[A7 B4 9207.1 9207.2] sends state and iss with the code', async () => {
    const redirect = await allow(await aFlow(app), pkce().challenge, { state: 'né #1' });
    expect(redirect.searchParams.get('state')).toBe('né #1');
    expect(redirect.searchParams.get('iss')).toBe(app.issuer);
  });

  it('[A24] gives a refresh token only to a client that is registered for it', async () => {
    const { tokens } = await tokensOf(await aFlow(app, { grant_types: ['authorization_code'] }));
    expect(tokens).not.toHaveProperty('refresh_token');
  });

  it('[B7] works for a confidential client, which needs PKCE as well', async () => {
    const flow = {
      app,
      client: await aConfidentialClient(app),
      user: await aUser(app),
      resource: await aResource(app),
    };
    expect((await tokensOf(flow)).tokens.refresh_token).toMatch(/^ap_rt_/);
    const refused = await new HttpBrowser().get(authorizeUrl(flow, '', { code_challenge: undefined }));
    expect(new URL(refused.location!).searchParams.get('error')).toBe('invalid_request');
  });

  it('records the issuance and who asked for it, with the token', async () => {
    const flow = await aFlow(app);
    await tokensOf(flow);
    const [issued] = await audited(app, 'token.issued');
    expect(issued).toMatchObject({
      client_id: flow.client.id,
      actor_id: flow.user.id,
      detail: { scopes: ['notes:read', 'notes:write'], resource: flow.resource.slug },
    });
    const rows = await app.sql('select client_id, user_id, audience from issuances where jti = $1', [
      issued!.detail.jti,
    ]);
    expect(rows).toEqual([{ client_id: flow.client.id, user_id: flow.user.id, audience: flow.resource.uri }]);
  });

  it('lets the person untick a scope', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const { verifier, challenge } = pkce();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, challenge)), app.issuer);
    const consent = await browser.follow(await signIn(browser, login, flow.user), app.issuer);
    const { 'scope:notes:write': _, ...fields } = consent.form('decision');
    const redirect = await browser.post(`${app.issuer}/consent`, { ...fields, decision: 'allow' });
    const code = new URL(redirect.location!).searchParams.get('code')!;
    expect((await redeem({ ...flow, code, verifier })).body.scope).toBe('notes:read');
  });

  it('tells the client when the person says no', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge)), app.issuer);
    const consent = await browser.follow(await signIn(browser, login, flow.user), app.issuer);
    const redirect = await browser.post(`${app.issuer}/consent`, { ...consent.form('decision'), decision: 'deny' });
    const answer = new URL(redirect.location!).searchParams;
    expect([answer.get('error'), answer.get('state'), answer.get('iss')]).toEqual([
      'access_denied',
      'a-state',
      app.issuer,
    ]);
    expect((await audited(app, 'consent.denied'))[0]).toMatchObject({
      client_id: flow.client.id,
      actor_id: flow.user.id,
    });
  });

  it('does not ask again for what was allowed, and asks again when more is wanted or the client insists', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    await tokensOf(flow, { scope: 'notes:read' }, browser);
    const again = await browser.follow(
      await browser.get(authorizeUrl(flow, pkce().challenge, { scope: 'notes:read' })),
      app.issuer,
    );
    expect(new URL(again.location!).searchParams.get('code')).toMatch(/^ap_ac_/);
    for (const more of [{ scope: 'notes:read notes:write' }, { scope: 'notes:read', prompt: 'consent' }]) {
      const asked = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge, more)), app.issuer);
      expect(asked.html).toContain('name="decision"');
    }
  });

  it('asks for the password again when the client sends prompt=login', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    await tokensOf(flow, {}, browser);
    app.clock.advance(1);
    const page = await browser.follow(
      await browser.get(authorizeUrl(flow, pkce().challenge, { prompt: 'login' })),
      app.issuer,
    );
    expect(page.html).toContain('name="password"');
    const skipped = await browser.get(page.url.replace('/login', '/consent'));
    expect(skipped.location).toContain('/login?');
    app.clock.advance(1);
    const signedIn = await browser.follow(await signIn(browser, page, flow.user), app.issuer);
    expect(signedIn.html.includes('name="decision"') || signedIn.location?.includes('code=')).toBe(true);
  });

  it('[B1 A13] accepts another port of a loopback redirect, and wants the same bytes when the code is redeemed', async () => {
    const client = await aClient(app, { redirect_uris: ['http://127.0.0.1/callback'] });
    const flow = {
      app,
      user: await aUser(app),
      resource: await aResource(app),
      client: { ...client, redirectUri: 'http://127.0.0.1:53127/callback' },
    };
    const granted = await aGrantedCode(flow);
    const refused = await redeem({ ...granted, client }, {});
    expect(refused.body).toMatchObject({
      error: 'invalid_grant',
      error_description: 'redirect_uri does not match the authorization request',
    });
    expect((await redeem(granted)).status).toBe(200);
  });

  it('[8707.1] treats an origin and the same with a slash as one resource, and answers in the registered spelling', async () => {
    const origin = `https://slash-${Date.now()}.example`;
    const resource = await aResource(app, { uri: origin });
    const flow = { ...(await aFlow(app)), resource: { ...resource, uri: `${origin}/` } };
    const { tokens } = await tokensOf(flow);
    const claims = JSON.parse(Buffer.from(tokens.access_token.split('.')[1], 'base64url').toString());
    expect(claims.aud).toEqual([origin]);
  });

  it('[K3] finds the resource that is meant when the request names none', async () => {
    const resource = await aResource(app, { scopes: [{ name: 'only:here', description: '' }] });
    const flow = { ...(await aFlow(app)), resource };
    const { tokens } = await tokensOf(flow, { resource: undefined, scope: 'only:here' });
    expect(tokens.scope).toBe('only:here');
    const refused = await new HttpBrowser().get(
      authorizeUrl(await aFlow(app), pkce().challenge, { resource: undefined }),
    );
    expect(new URL(refused.location!).searchParams.get('error')).toBe('invalid_target');
  });

  it('[K3] asks with every scope of the resource when the client names none', async () => {
    expect((await tokensOf(await aFlow(app), { scope: undefined })).tokens.scope).toBe('notes:read notes:write');
  });

  it('gives tokens as long as resource and client say, the shorter one', async () => {
    const resource = await aResource(app, { access_token_ttl: 120 });
    const client = await aClient(app, { access_token_ttl: 60 });
    const user = await aUser(app);
    expect((await tokensOf({ app, user, resource, client })).tokens.expires_in).toBe(60);
  });

  it('[7662.1] introspects as active for the resource server that is named in the policy', async () => {
    const server = await aConfidentialClient(app);
    const resource = await aResource(app, { policy: { runtime: { client_ids: [server.id] } } });
    const flow = { ...(await aFlow(app)), resource };
    const { tokens } = await tokensOf(flow);
    expect(await introspect(app, tokens.access_token, server)).toMatchObject({
      active: true,
      sub: flow.user.id,
      aud: [resource.uri],
    });
  });
});
