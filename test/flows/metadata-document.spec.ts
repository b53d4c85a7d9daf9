import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  allow,
  aGrantedCode,
  aResource,
  audited,
  aUser,
  authorizeUrl,
  introspect,
  pkce,
  postForm,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type Flow,
} from '../builders.js';
import {
  DESK_REDIRECT,
  documentHost,
  documentsFromHere,
  type DocumentAnswer,
  type DocumentHost,
} from '../document-host.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
  app = await startTestApp({
    settings: { ...documentsFromHere, OAUTH_DEFAULT_CLIENT_SCOPE: 'notes:read', CIMD_DENIED_HOSTS: 'denied.example' },
  });
});
afterAll(async () => {
  await app.close();
  await host.close();
});
beforeEach(() => {
  host.hits.length = 0;
});

let documents = 0;
/** A flow of a client that is known by its document alone. */
async function deskFlow(answer?: DocumentAnswer): Promise<Flow & { path: string }> {
  documents += 1;
  const path = `/client-${documents}.json`;
  const id = host.put(path, answer);
  const [user, resource] = await Promise.all([aUser(app), aResource(app)]);
  return { app, client: { id, redirectUri: 'http://127.0.0.1:49152/callback' }, user, resource, path };
}

const SCOPE = { scope: 'notes:read' };
const authorize = (flow: Flow, parameters = {}): Promise<Visit> =>
  new HttpBrowser().get(authorizeUrl(flow, pkce().challenge, { ...SCOPE, ...parameters }));
const rowOf = async (id: string) =>
  (
    await app.sql<{ version: number; status: string; redirect_uris: string[]; scope: string }>(
      'select version, status, redirect_uris, scope from clients where id = $1',
      [id],
    )
  )[0];
/** What the token endpoint says to a client that is known, and holds no token. */
const presentItself = (id: string) =>
  postForm(app, '/oauth/token', { grant_type: 'refresh_token', refresh_token: 'none', client_id: id });

describe('a client that is known by its metadata document', () => {
  it('[A5 A16 A17 A18 A20] is announced, signs a person in, and gets and refreshes tokens', async () => {
    const metadata = await (await fetch(`${app.url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata).toMatchObject({ client_id_metadata_document_supported: true });
    expect(metadata.token_endpoint_auth_methods_supported).toContain('none');
    const flow = await tokensOf(await deskFlow(), SCOPE);
    expect(flow.tokens).toMatchObject({ scope: 'notes:read', token_type: 'Bearer' });
    expect((await refresh(flow, flow.tokens.refresh_token)).status).toBe(200);
  });

  it('gets a row when somebody consents, not before, with the ceiling of self-registered clients', async () => {
    const flow = await deskFlow();
    await authorize(flow);
    await presentItself(flow.client.id);
    expect(await rowOf(flow.client.id)).toBeUndefined();
    await aGrantedCode(flow, SCOPE);
    expect(await rowOf(flow.client.id)).toMatchObject({ version: 1, status: 'active', scope: 'notes:read' });
    await aGrantedCode(flow, SCOPE);
    expect(await rowOf(flow.client.id)).toMatchObject({ version: 1 });
    const registered = (await audited(app, 'client.registered')).filter((row) => row.client_id === flow.client.id);
    expect(registered).toMatchObject([{ detail: { source: 'cimd' } }]);
  });

  it('gets its one row when many people consent at once', async () => {
    const flow = await deskFlow();
    const people = await Promise.all(Array.from({ length: 8 }, async () => ({ ...flow, user: await aUser(app) })));
    const granted = await Promise.all(people.map((each) => aGrantedCode(each, SCOPE)));
    expect((await Promise.all(granted.map((each) => redeem(each)))).map(({ status }) => status)).toEqual(
      Array(8).fill(200),
    );
    expect(await rowOf(flow.client.id)).toMatchObject({ version: 1 });
  });

  it('[A13] may use any port of a loopback redirect, as Claude Code does, and must keep to it', async () => {
    const granted = await aGrantedCode(await deskFlow(), SCOPE);
    const elsewhere = { ...granted, client: { ...granted.client, redirectUri: DESK_REDIRECT } };
    expect((await redeem(elsewhere)).body.error_description).toBe(
      'redirect_uri does not match the authorization request',
    );
    expect((await redeem(granted)).status).toBe(200);
  });

  it('[A14 A18] may return to nowhere but where its document says: a page, no redirect', async () => {
    const page = await authorize(await deskFlow(), { redirect_uri: 'https://evil.example/callback' });
    expect([page.status, page.location]).toEqual([400, undefined]);
  });

  it('[A23] is refused when its host is denied, and nothing is fetched', async () => {
    const flow = await deskFlow();
    const denied = { ...flow, client: { ...flow.client, id: 'https://app.denied.example/client' } };
    expect(await authorize(denied)).toMatchObject({ status: 400, location: undefined });
    const [event] = (await audited(app, 'authorize.denied')).filter((row) => row.client_id === denied.client.id);
    expect(event).toMatchObject({
      reason: 'metadata_document_wrong',
      detail: { problem: 'the host is in cimd.denied_hosts' },
    });
  });
});

describe('[A19] the document', () => {
  it('is fetched once while it is fresh, and again afterwards', async () => {
    const flow = await deskFlow({ headers: { 'cache-control': 'max-age=600' } });
    for (let n = 0; n < 3; n++) expect((await authorize(flow)).status).toBe(303);
    expect(host.hits).toEqual([flow.path]);
    app.clock.advance(600);
    expect((await authorize(flow)).status).toBe(303);
    expect(host.hits).toEqual([flow.path, flow.path]);
  });

  it('is fetched every time when it must not be stored', async () => {
    const flow = await deskFlow({ headers: { 'cache-control': 'no-store' } });
    for (let n = 0; n < 3; n++) await authorize(flow);
    expect(host.hits).toHaveLength(3);
  });

  it('[M15] that changed its redirects asks people again, and the former redirect is gone', async () => {
    const WEB = 'https://desk.example/callback';
    const flow = await deskFlow({ members: { redirect_uris: [WEB] } });
    const old = { ...flow, client: { ...flow.client, redirectUri: WEB } };
    const browser = new HttpBrowser();
    await aGrantedCode(old, SCOPE, browser);
    const again = await browser.get(authorizeUrl(old, pkce().challenge, SCOPE));
    const silent = await browser.follow(again, app.url);
    expect(silent.location).toContain(`${WEB}?`);

    host.put(flow.path, { members: { redirect_uris: [WEB, 'https://desk.example/new'] } });
    app.clock.advance(3600);
    const asked = await browser.follow(await browser.get(authorizeUrl(old, pkce().challenge, SCOPE)), app.url);
    expect([asked.status, asked.location]).toEqual([200, undefined]);
    await allow(old, pkce().challenge, SCOPE, browser);
    expect(await rowOf(flow.client.id)).toMatchObject({
      version: 2,
      redirect_uris: [WEB, 'https://desk.example/new'],
    });

    host.put(flow.path, { members: { redirect_uris: ['https://desk.example/new'] } });
    app.clock.advance(3600);
    expect(await authorize(old)).toMatchObject({ status: 400, location: undefined });
  });
});

describe('the host of a document', () => {
  it('[K5 M12] may be away: authorize answers 503 without redirect, tokens go on', async () => {
    const flow = await tokensOf(await deskFlow(), SCOPE);
    host.put(new URL(flow.client.id).pathname, { away: true });
    app.clock.advance(3600);
    const page = await authorize(flow);
    expect([page.status, page.location]).toEqual([503, undefined]);
    expect(page.response.headers.get('retry-after')).not.toBeNull();
    expect((await refresh(flow, flow.tokens.refresh_token)).status).toBe(200);
  });

  it.each([{ status: 500 }, { status: 503 }, { status: 429 }, { status: 403 }])(
    '[K5] is away as well when it answers %j',
    async (answer) => {
      const flow = await deskFlow(answer);
      expect((await authorize(flow)).status).toBe(503);
    },
  );

  it('[K5] is asked by the token endpoint from the first consent on: away its client goes on, gone its client is nobody', async () => {
    const flow = await deskFlow();
    expect((await presentItself(flow.client.id)).body.error).toBe('invalid_client');
    expect(host.hits).toEqual([]);
    const { tokens } = await tokensOf(flow, SCOPE);
    host.put(flow.path, { away: true });
    app.clock.advance(3601);
    const away = await refresh(flow, tokens.refresh_token);
    expect(away.status).toBe(200);
    host.put(flow.path, { status: 410 });
    app.clock.advance(3601);
    expect((await refresh(flow, away.body.refresh_token)).body.error).toBe('invalid_client');
  });

  it('[K5] that says there is no document ends the client at once', async () => {
    const flow = await deskFlow();
    expect((await authorize(flow)).status).toBe(303);
    host.put(flow.path, { status: 410 });
    app.clock.advance(3601);
    expect((await authorize(flow)).status).toBe(400);
  });
});

describe('[M17] an operator', () => {
  const path = (id: string) => `/admin/clients/${encodeURIComponent(id)}`;

  it('may suspend a client nobody has consented to yet; its document changes nothing about that', async () => {
    const flow = await deskFlow();
    expect((await app.admin('PATCH', `${path(flow.client.id)}/suspend`)).body).toEqual({ status: 'suspended' });
    app.clock.advance(3600);
    host.hits.length = 0;
    expect(await authorize(flow)).toMatchObject({ status: 400, location: undefined });
    expect((await presentItself(flow.client.id)).body.error).toBe('invalid_client');
    expect(host.hits).toEqual([]);
    expect(await rowOf(flow.client.id)).toMatchObject({ status: 'suspended', version: 2 });
  });

  it('may set the ceiling, which a new document does not undo', async () => {
    const flow = await deskFlow();
    const edited = await app.admin('PATCH', path(flow.client.id), { scope: 'notes:write' });
    expect(edited.body).toMatchObject({ scope: 'notes:write', registration_source: 'cimd', cimd_url: flow.client.id });
    host.put(flow.path, { members: { client_name: 'New name' } });
    app.clock.advance(3600);
    await aGrantedCode(flow, { scope: 'notes:write' });
    expect((await app.admin('GET', path(flow.client.id))).body).toMatchObject({
      name: 'New name',
      scope: 'notes:write',
    });
  });

  it('may name a client nobody has consented to yet in a policy', async () => {
    const flow = await deskFlow();
    const add = (id: string) =>
      app.admin('POST', `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`, { client_id: id });
    expect((await add(flow.client.id)).status).toBeLessThan(300);
    expect((await add(`${host.origin}/nothing`)).status).toBe(400);
  });

  it('cannot change what the document says', async () => {
    const { client } = await deskFlow();
    expect((await app.admin('PATCH', path(client.id), { client_name: 'Mine' })).status).toBe(409);
  });

  it('does not find a client whose document does not exist', async () => {
    expect((await app.admin('PATCH', `${path(`${host.origin}/nothing`)}/suspend`)).status).toBe(404);
  });
});

describe('[A5] switched off', () => {
  it('no URL is a client, stored or not, and the metadata does not say otherwise', async () => {
    const flow = await tokensOf(await deskFlow(), SCOPE);
    const off = await startTestApp({ beside: app, settings: { CIMD_ENABLED: 'false' } });
    expect(await (await fetch(`${off.url}/.well-known/oauth-authorization-server`)).json()).not.toHaveProperty(
      'client_id_metadata_document_supported',
    );
    const flowThere = { ...flow, app: off };
    expect((await authorize(flowThere)).status).toBe(400);
    expect((await refresh(flowThere, flow.tokens.refresh_token)).body.error).toBe('invalid_client');
    await off.close();
  });
});

describe('a client of a metadata document that an operator deleted', () => {
  it('may come back under its id, and none of its old tokens comes back with it', async () => {
    const flow = await deskFlow();
    const old = await tokensOf(flow, SCOPE);
    const server = await aConfidentialClient(app);
    await app.admin('POST', `/admin/resources/${flow.resource.slug}/policy/runtime/client-ids`, {
      client_id: server.id,
    });
    expect(await introspect(app, old.tokens.access_token, server)).toMatchObject({ active: true });
    const deleted = await app.admin('DELETE', `/admin/clients/${encodeURIComponent(flow.client.id)}?force=true`);
    expect(deleted.status).toBe(204);

    const fresh = await tokensOf(flow, SCOPE);
    expect(await introspect(app, fresh.tokens.access_token, server)).toMatchObject({ active: true });
    expect(await introspect(app, old.tokens.access_token, server)).toEqual({ active: false });
    expect((await refresh(flow, old.tokens.refresh_token)).body.error).toBe('invalid_grant');
  });
});

describe('the consent page', () => {
  it('[M14] shows the host that publishes the document, and loads nothing from there', async () => {
    const flow = await deskFlow({ members: { logo_uri: 'https://logo.example/x.png' } });
    const browser = new HttpBrowser();
    const login = await browser.follow(await browser.get(authorizeUrl(flow, pkce().challenge, SCOPE)), app.issuer);
    const { html } = await browser.follow(await signIn(browser, login, flow.user), app.issuer);
    expect(html).toContain(`Published by <strong>${new URL(flow.client.id).host}</strong>`);
    expect(html).not.toMatch(/<img|logo\.example/);
  });
});
