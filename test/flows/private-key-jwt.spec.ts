import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aKeyClient, aKeyPair, asForm, assertionOf, type KeyPair } from '../assertions.js';
import { aResource, aUser, audited, postForm, signIn, type ResourceFixture, type UserFixture } from '../builders.js';
import { CommandLine } from '../command-line.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser } from '../http-browser.js';

/** The one thing that must be allowed: the test's server speaks http, which the libraries refuse unless told otherwise. */
const plainHttp = { [oauth.allowInsecureRequests]: true };
const REDIRECT = 'https://client.example/callback';
const METHOD = { token_endpoint_auth_method: 'private_key_jwt' };

let app: TestApp;
let user: UserFixture;
let resource: ResourceFixture;
let as: oauth.AuthorizationServer;
beforeAll(async () => {
  app = await startTestApp({ settings: { CLIENT_CREDENTIALS_ENABLED: 'true' } });
  [user, resource] = await Promise.all([aUser(app), aResource(app)]);
  const issuer = new URL(app.issuer);
  as = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
  );
});
afterAll(() => app.close());

async function throughBrowser(url: URL): Promise<URL> {
  const browser = new HttpBrowser();
  const login = await browser.follow(await browser.get(url.href), app.issuer);
  const consent = await browser.follow(await signIn(browser, login, user), app.issuer);
  const back = await browser.post(`${app.issuer}/consent`, { ...consent.form('decision'), decision: 'allow' });
  return new URL(back.location!);
}

describe('[B14 J2] private_key_jwt', () => {
  it.each(['ES256', 'RS256', 'PS256', 'EdDSA'])(
    'with %s and oauth4webapi registers, obtains, refreshes, introspects and revokes',
    async (alg) => {
      const pair = await aKeyPair(alg);
      const client = await oauth.processDynamicClientRegistrationResponse(
        await oauth.dynamicClientRegistrationRequest(
          as,
          { redirect_uris: [REDIRECT], ...METHOD, jwks: { keys: [pair.publicJwk] } as unknown as oauth.JsonValue },
          plainHttp,
        ),
      );
      expect(client).not.toHaveProperty('client_secret');
      expect(client['jwks']).toEqual({ keys: [pair.publicJwk] });
      const auth = oauth.PrivateKeyJwt({ key: pair.privateKey, kid: pair.kid });

      const verifier = oauth.generateRandomCodeVerifier();
      const url = new URL(as.authorization_endpoint!);
      url.search = new URLSearchParams({
        client_id: client.client_id,
        response_type: 'code',
        redirect_uri: REDIRECT,
        scope: 'notes:read',
        resource: resource.uri,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      }).toString();
      const callback = oauth.validateAuthResponse(as, client, await throughBrowser(url), oauth.expectNoState);
      const granted = await oauth.processAuthorizationCodeResponse(
        as,
        client,
        await oauth.authorizationCodeGrantRequest(as, client, auth, callback, REDIRECT, verifier, plainHttp),
      );
      const refreshed = await oauth.processRefreshTokenResponse(
        as,
        client,
        await oauth.refreshTokenGrantRequest(as, client, auth, granted.refresh_token!, plainHttp),
      );
      const introspect = async () =>
        oauth.processIntrospectionResponse(
          as,
          client,
          await oauth.introspectionRequest(as, client, auth, refreshed.access_token, plainHttp),
        );
      expect(await introspect()).toMatchObject({ active: true, sub: user.id });
      await oauth.processRevocationResponse(
        await oauth.revocationRequest(as, client, auth, refreshed.refresh_token!, plainHttp),
      );
      expect(await introspect()).toEqual({ active: false });
    },
  );

  it('with openid-client obtains, refreshes, introspects and revokes', async () => {
    const { id, pair, redirectUri } = await aKeyClient(app);
    const config = await openid.discovery(
      new URL(app.issuer),
      id,
      undefined,
      openid.PrivateKeyJwt({ key: pair.privateKey, kid: pair.kid }),
      { algorithm: 'oauth2', execute: [openid.allowInsecureRequests] },
    );
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const url = openid.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: 'notes:read',
      resource: resource.uri,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    });
    const granted = await openid.authorizationCodeGrant(config, await throughBrowser(url), { pkceCodeVerifier });
    const refreshed = await openid.refreshTokenGrant(config, granted.refresh_token!);
    expect(await openid.tokenIntrospection(config, refreshed.access_token)).toMatchObject({ active: true });
    await openid.tokenRevocation(config, refreshed.refresh_token!);
    expect(await openid.tokenIntrospection(config, refreshed.access_token)).toEqual({ active: false });
  });

  it('gives a machine its tokens, with either library', async () => {
    const draft = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'notes:read' };
    const { id, pair } = await aKeyClient(app, draft);
    const key = { key: pair.privateKey, kid: pair.kid };
    const client = { client_id: id };
    const parameters = { resource: resource.uri };
    const byOauth = await oauth.processClientCredentialsResponse(
      as,
      client,
      await oauth.clientCredentialsGrantRequest(as, client, oauth.PrivateKeyJwt(key), parameters, plainHttp),
    );
    const config = new openid.Configuration(as as openid.ServerMetadata, id, undefined, openid.PrivateKeyJwt(key));
    openid.allowInsecureRequests(config);
    const byOpenid = await openid.clientCredentialsGrant(config, parameters);
    expect([byOauth.scope, byOpenid.scope]).toEqual(['notes:read', 'notes:read']);
  });

  it('[J4] is spent once, also when the request is decided again because its client was changed meanwhile', async () => {
    const { id, pair } = await aKeyClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
    const form = { grant_type: 'client_credentials', ...asForm(await assertionOf(app, id, pair)) };
    const ask = () => postForm(app, '/oauth/token', form);
    const answer = await whileHeld(app, 'lock table issuances in access exclusive mode', ask, () =>
      app.admin('PATCH', `/admin/clients/${id}`, { client_name: 'Another name' }),
    );
    expect([answer.status, answer.body.token_type]).toEqual([200, 'Bearer']);
    expect((await ask()).body.error).toBe('invalid_client');
  });

  it('[J5] with a key that was replaced while the request was decided gets nothing', async () => {
    const { id, pair } = await aKeyClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
    const next = await aKeyPair();
    const form = { grant_type: 'client_credentials', ...asForm(await assertionOf(app, id, pair)) };
    const answer = await whileHeld(
      app,
      'lock table issuances in access exclusive mode',
      () => postForm(app, '/oauth/token', form),
      () => app.admin('PATCH', `/admin/clients/${id}`, { jwks: { keys: [next.publicJwk] } }),
    );
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    expect((await audited(app, 'client_credentials.denied'))[0]).toMatchObject({
      client_id: id,
      detail: { check: 'kid' },
    });
    expect(await app.sql('select from issuances where client_id = $1', [id])).toEqual([]);
  });

  it('needs no client_id beside the assertion', async () => {
    const { id, pair } = await aKeyClient(app);
    const form = { grant_type: 'refresh_token', refresh_token: 'none' };
    const answer = await postForm(app, '/oauth/token', { ...form, ...asForm(await assertionOf(app, id, pair)) });
    expect(answer.body.error).toBe('invalid_grant');
  });
});

describe('the keys of a client', () => {
  const rowOf = async (id: string) =>
    (
      await app.sql<{ security_changed_at: Date; version: string; jwks: unknown; jwks_uri: string | null }>(
        'select security_changed_at, version, jwks, jwks_uri from clients where id = $1',
        [id],
      )
    )[0]!;
  const patch = (id: string, body: object) => app.admin('PATCH', `/admin/clients/${id}`, body);
  const setOf = (...pairs: KeyPair[]) => ({ keys: pairs.map(({ publicJwk }) => publicJwk) });

  it('are changed by the operator, which asks for consent again; the same keys change nothing', async () => {
    const { id, pair } = await aKeyClient(app);
    const before = await rowOf(id);
    app.clock.advance(60);
    expect((await patch(id, { jwks: setOf(pair) })).status).toBe(200);
    expect((await rowOf(id)).security_changed_at).toEqual(before.security_changed_at);
    const next = await aKeyPair();
    expect((await patch(id, { jwks: setOf(pair, next) })).body.jwks).toEqual(setOf(pair, next));
    expect((await rowOf(id)).security_changed_at).toEqual(app.clock.now());
    app.clock.advance(60);
    const moved = await patch(id, { jwks_uri: 'https://keys.acme-agents.dev/jwks' });
    expect([moved.body.jwks, moved.body.jwks_uri]).toEqual([undefined, 'https://keys.acme-agents.dev/jwks']);
    expect(await rowOf(id)).toMatchObject({ jwks: null, security_changed_at: app.clock.now() });
    expect((await patch(id, { jwks: setOf(pair) })).body).not.toHaveProperty('jwks_uri');
    expect((await audited(app, 'client.updated')).filter((row) => row.client_id === id)).toHaveLength(4);
  });

  it('stay when something else is changed', async () => {
    const { id, pair } = await aKeyClient(app);
    const { status, body } = await patch(id, { client_name: 'Other', token_endpoint_auth_signing_alg: 'ES256' });
    expect([status, body.jwks, body.token_endpoint_auth_signing_alg]).toEqual([200, setOf(pair), 'ES256']);
    expect((await patch(id, { token_endpoint_auth_signing_alg: null })).body).not.toHaveProperty(
      'token_endpoint_auth_signing_alg',
    );
  });

  it('are not for clients of other methods, and cannot be rotated like a secret', async () => {
    const pair = await aKeyPair();
    const draft = { client_name: 'x', redirect_uris: [REDIRECT], jwks: setOf(pair) };
    expect((await app.admin('POST', '/admin/clients', draft)).status).toBe(400);
    const { id } = await aKeyClient(app);
    expect((await app.admin('POST', `/admin/clients/${id}/rotate-secret`, {})).status).toBe(409);
    expect((await patch(id, { jwks: { keys: [] } })).status).toBe(400);
    expect((await patch(id, { jwks: 'x' })).status).toBe(400);
  });

  it('are given on the command line, as a file or as a URL', async () => {
    const cli = new CommandLine(app);
    const pair = await aKeyPair();
    const file = cli.file('jwks.json', JSON.stringify(setOf(pair)));
    const create = [
      'client',
      'create',
      '--name',
      'Batch',
      '--redirect-uris',
      REDIRECT,
      '--auth-method',
      'private_key_jwt',
    ];
    const made = await cli.json(...create, '--jwks-file', file);
    expect(made.jwks).toEqual(setOf(pair));
    const uri = 'https://keys.acme-agents.dev/jwks';
    expect((await cli.json('client', 'update', '--id', made.client_id, '--jwks-uri', uri)).jwks_uri).toBe(uri);
    expect((await cli.run([...create, '--jwks-file', `${file}.missing`])).stderr).toContain('cannot be read as JSON');
    cli.close();
  });
});
