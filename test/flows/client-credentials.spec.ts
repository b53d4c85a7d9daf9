import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aResource,
  audited,
  introspect,
  postForm,
  type ClientFixture,
  type TokenResponse,
} from '../builders.js';
import { expectRefused } from '../exchanges.js';

const GRANTS = ['client_credentials'];

let app: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings: { CLIENT_CREDENTIALS_ENABLED: 'true' } });
});
afterAll(() => app.close());

const aMachine = (scope = 'notes:read notes:write'): Promise<ClientFixture> =>
  aConfidentialClient(app, { grant_types: GRANTS, redirect_uris: [], scope });

const ask = (client: ClientFixture, more: Record<string, string> = {}, at = app): Promise<TokenResponse> =>
  postForm(at, '/oauth/token', { grant_type: 'client_credentials', ...more }, client);

const claimsOf = (token: string): Record<string, unknown> =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, unknown>;

describe('client_credentials', () => {
  it('[9068.2] gives a token about the client itself, without a refresh token', async () => {
    const [client, resource] = await Promise.all([aMachine(), aResource(app)]);
    const { status, body } = await ask(client, { resource: resource.uri });
    expect(status).toBe(200);
    expect(body).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 3600,
      scope: 'notes:read notes:write',
    });
    expect(claimsOf(body.access_token)).toMatchObject({ sub: client.id, client_id: client.id, aud: [resource.uri] });
    expect((await audited(app, 'client_credentials.issued'))[0]).toMatchObject({
      client_id: client.id,
      actor_id: null,
      detail: { resource: resource.slug },
    });
  });

  it('follows the matrix of scope and resource', async () => {
    const resource = await aResource(app, { scopes: [{ name: 'notes:read' }, { name: 'notes:admin' }] });
    const client = await aMachine();
    const [given, named] = [{ scope: 'notes:read' }, { resource: resource.uri }];
    expect((await ask(client, { ...given, ...named })).body.scope).toBe('notes:read');
    expect((await ask(client, named)).body.scope).toBe('notes:read');
    const anywhere = (await ask(client, given)).body;
    expect([anywhere.scope, claimsOf(anywhere.access_token)['aud']]).toEqual(['notes:read', [app.issuer]]);
    expect((await ask(client)).body.scope).toBe('notes:read notes:write');
    const idle = await aMachine('files:read');
    const refused: [ClientFixture, Record<string, string>, string, string][] = [
      [client, { ...named, scope: 'notes:admin' }, 'invalid_scope', 'scope_above_ceiling'],
      [client, { ...named, scope: 'notes:write' }, 'invalid_scope', 'scope_not_in_catalog'],
      [client, { scope: 'notes:read notes:admin' }, 'invalid_scope', 'scope_above_ceiling'],
      [idle, named, 'invalid_scope', 'scope_nothing_left'],
      [await aMachine(''), named, 'invalid_scope', 'ceiling_empty'],
      [await aMachine(''), {}, 'invalid_scope', 'ceiling_empty'],
      [client, { resource: 'https://nowhere.example' }, 'invalid_target', 'resource_unknown'],
      [client, { resource: resource.slug }, 'invalid_target', 'resource_unknown'],
    ];
    for (const [who, form, error, reason] of refused)
      await expectRefused(app, () => ask(who, form), [400, error, reason], 'client_credentials.denied');
    expect((await ask(await aMachine(''))).body.error_description).toBe(
      'this client has no scope of its own, without which it gets no token for itself',
    );
  });

  it('takes offline_access for what it is here: nothing', async () => {
    const client = await aMachine();
    expect((await ask(client, { scope: 'notes:read offline_access' })).body.scope).toBe('notes:read');
    expect((await ask(client, { scope: 'offline_access' })).body.scope).toBe('notes:read notes:write');
  });

  it('is not for a client that proves nothing, even if its row says so', async () => {
    const client = await aMachine();
    await app.sql(`update clients set token_endpoint_auth_method = 'none', version = version + 1 where id = $1`, [
      client.id,
    ]);
    const bare = () => ask({ ...client, secret: undefined });
    await expectRefused(app, bare, [401, 'invalid_client', 'credentials_missing'], 'client_credentials.denied');
  });

  it('is off unless it is switched on, and the refusal names the setting', async () => {
    const off = await startTestApp({ beside: app });
    const { status, body } = await ask(await aMachine(), {}, off);
    expect([status, body.error, body.error_description]).toEqual([
      400,
      'unsupported_grant_type',
      'grant_type client_credentials is not enabled on this server (client_credentials.enabled)',
    ]);
    const metadata = await Promise.all(
      [app, off].map(async (at) => (await fetch(`${at.url}/.well-known/oauth-authorization-server`)).json()),
    );
    expect(metadata.map((document) => document.grant_types_supported.includes('client_credentials'))).toEqual([
      true,
      false,
    ]);
    await off.close();
  });

  it('is told apart in introspection, and ends with its client', async () => {
    const client = await aMachine();
    const server = await aConfidentialClient(app);
    const resource = await aResource(app, { policy: { runtime: { client_ids: [server.id] } } });
    const { access_token: token } = (await ask(client, { resource: resource.uri })).body;
    expect(await introspect(app, token, server)).toMatchObject({ active: true, sub: client.id });
    const own = (await ask(client)).body.access_token;
    expect(await introspect(app, own, client)).toMatchObject({ active: true, aud: [app.issuer] });
    expect(await introspect(app, own, server)).toEqual({ active: false });
    await app.admin('PATCH', `/admin/clients/${client.id}/suspend`);
    expect(await introspect(app, token, server)).toEqual({ active: false });
    expect((await ask(client)).status).toBe(401);
  });

  it('stores many at once, each with its audit row, and leaves out what no longer holds', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => aMachine()));
    const load = clients.flatMap((client) => Array.from({ length: 20 }, () => ask(client)));
    const suspended = app.admin('PATCH', `/admin/clients/${clients[0]!.id}/suspend`);
    const answers = await Promise.all(load);
    expect((await suspended).status).toBe(200);
    const granted = answers
      .filter(({ status }) => status === 200)
      .map(({ body }) => claimsOf(body.access_token)['jti']);
    const ids = clients.map(({ id }) => id);
    const rows = await app.sql<{ jti: string }>('select jti from issuances where client_id = any($1)', [ids]);
    expect(new Set(rows.map(({ jti }) => jti))).toEqual(new Set(granted));
    const facts = await app.sql<{ jti: string }>(
      `select detail->>'jti' as jti from audit_events where action = 'client_credentials.issued' and client_id = any($1)`,
      [ids],
    );
    expect(new Set(facts.map(({ jti }) => jti))).toEqual(new Set(granted));
    expect(answers.filter(({ status }) => ![200, 401, 429].includes(status))).toEqual([]);
  });

  it('is obtained by oauth4webapi with every check it has', async () => {
    const plainHttp = { [oauth.allowInsecureRequests]: true };
    const issuer = new URL(app.issuer);
    const as = await oauth.processDiscoveryResponse(
      issuer,
      await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...plainHttp }),
    );
    const [{ id, secret }, resource] = await Promise.all([aMachine(), aResource(app)]);
    const client = { client_id: id };
    const response = await oauth.clientCredentialsGrantRequest(
      as,
      client,
      oauth.ClientSecretBasic(secret!),
      { resource: resource.uri, scope: 'notes:read' },
      plainHttp,
    );
    expect(await oauth.processClientCredentialsResponse(as, client, response)).toMatchObject({ scope: 'notes:read' });
  });
});
