import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aClient,
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  aResource,
  aUser,
  authorizeUrl,
  introspect,
  pkce,
  redeem,
  refresh,
  signIn,
  tokensOf,
  type ClientFixture,
  type Flow,
} from '../builders.js';
import { documentHost, documentsFromHere, type DocumentHost } from '../document-host.js';
import { HttpBrowser, type Visit } from '../http-browser.js';

let app: TestApp;
let host: DocumentHost;
beforeAll(async () => {
  host = await documentHost();
  app = await startTestApp({
    settings: {
      ...documentsFromHere,
      RATE_LIMIT_ENABLED: 'false',
      OAUTH_ALLOWED_REDIRECT_SCHEMES: 'com.example.notes',
    },
  });
});
afterAll(async () => {
  await app.close();
  await host.close();
});

type Parameters = Record<string, string | undefined>;

/** Where a signed-in browser ends: at the client with a code, or at the page. */
async function asked(browser: HttpBrowser, flow: Flow, parameters: Parameters = {}): Promise<'page' | 'code'> {
  const visit = await browser.follow(
    await browser.get(authorizeUrl(flow, pkce().challenge, parameters)),
    flow.app.issuer,
  );
  if (visit.html.includes('name="decision"')) return 'page';
  expect(new URL(visit.location ?? '').searchParams.get('code')).toMatch(/^ap_ac_/);
  return 'code';
}

/** A person who has just allowed the client everything. The clock goes on, so that what follows is later. */
async function afterConsent(draft: Record<string, unknown> = {}, client?: ClientFixture) {
  const flow = { ...(await aFlow(app, draft)), ...(client ? { client } : {}) };
  const browser = new HttpBrowser();
  const { tokens } = await tokensOf(flow, {}, browser);
  app.clock.advance(1);
  return { flow, browser, tokens, client: `/admin/clients/${flow.client.id}` };
}

const confidential = { token_endpoint_auth_method: 'client_secret_basic' };

async function registeredByItself(members: Record<string, unknown>): Promise<ClientFixture> {
  const response = await fetch(`${app.url}/oauth/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(members),
  });
  const { client_id: id, client_secret: secret, redirect_uris } = (await response.json()) as Record<string, any>;
  return { id, secret, redirectUri: redirect_uris[0] };
}

describe('the consent page is left out', () => {
  it('for what was allowed before, to the same redirect URI, of a client that nobody else can be', async () => {
    for (const draft of [{}, confidential]) {
      const { flow, browser } = await afterConsent(draft);
      expect(await asked(browser, flow)).toBe('code');
    }
  });

  it('for less than was allowed, and for offline_access, which is no permission', async () => {
    const { flow, browser } = await afterConsent();
    expect(await asked(browser, flow, { scope: 'notes:read' })).toBe('code');
    expect(await asked(browser, flow, { scope: 'notes:read offline_access' })).toBe('code');
  });

  it('for another port of the loopback address of a client with a secret', async () => {
    const { flow, browser } = await afterConsent({ ...confidential, redirect_uris: ['http://127.0.0.1/callback'] });
    const elsewhere = { ...flow, client: { ...flow.client, redirectUri: 'http://127.0.0.1:50123/callback' } };
    expect(await asked(browser, elsewhere)).toBe('code');
  });

  it('after a change of the client that has nothing to do with who receives the code', async () => {
    const { flow, browser, client } = await afterConsent();
    await app.admin('PATCH', client, { client_name: 'A new name', scope: 'notes:read notes:write' });
    expect(await asked(browser, flow)).toBe('code');
  });

  it('by allowing once more, where it was shown because of a change', async () => {
    const { flow, browser, client } = await afterConsent();
    const redirect_uris = [flow.client.redirectUri, 'https://second.example/callback'];
    await app.admin('PATCH', client, { redirect_uris });
    app.clock.advance(1);
    await tokensOf(flow, {}, browser);
    expect(await asked(browser, flow)).toBe('code');
    const second = { ...flow, client: { ...flow.client, redirectUri: 'https://second.example/callback' } };
    await tokensOf(second, {}, browser);
    expect(await asked(browser, second)).toBe('code');
    expect(await asked(browser, flow)).toBe('code');
  });
});

describe('[A15] the consent page is shown', () => {
  it('when the client wants it shown', async () => {
    const { flow, browser } = await afterConsent();
    expect(await asked(browser, flow, { prompt: 'consent' })).toBe('page');
  });

  it('to a public client on this computer, since any program here can be it', async () => {
    const { flow, browser } = await afterConsent({ redirect_uris: ['http://127.0.0.1/callback'] });
    expect(await asked(browser, flow)).toBe('page');
  });

  it('to a public client with a scheme of its own, which any app can claim', async () => {
    const { flow, browser } = await afterConsent({ redirect_uris: ['com.example.notes:/callback'] });
    expect(await asked(browser, flow)).toBe('page');
  });

  it('to a client that registered itself, with a secret or without', async () => {
    for (const token_endpoint_auth_method of ['none', 'client_secret_basic']) {
      const own = await registeredByItself({ redirect_uris: ['https://own.example/cb'], token_endpoint_auth_method });
      const { flow, browser } = await afterConsent({}, own);
      expect(await asked(browser, flow)).toBe('page');
    }
  });

  it('after the redirect URIs of the client were changed, even if this one stayed', async () => {
    const { flow, browser, client } = await afterConsent();
    await app.admin('PATCH', client, { redirect_uris: [flow.client.redirectUri, 'https://second.example/callback'] });
    expect(await asked(browser, flow)).toBe('page');
  });

  it('for a redirect URI that the person has not seen', async () => {
    const redirect_uris = ['https://first.example/callback', 'https://second.example/callback'];
    const { flow, browser } = await afterConsent({ redirect_uris });
    expect(await asked(browser, flow)).toBe('code');
    const second = { ...flow, client: { ...flow.client, redirectUri: redirect_uris[1] ?? '' } };
    expect(await asked(browser, second)).toBe('page');
  });

  it('when more is asked for than was allowed', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    await tokensOf(flow, { scope: 'notes:read' }, browser);
    expect(await asked(browser, flow, { scope: 'notes:read' })).toBe('code');
    for (const scope of ['notes:write', 'notes:read notes:write', undefined])
      expect(await asked(browser, flow, { scope })).toBe('page');
  });

  it('for another resource, to another person and another client', async () => {
    const { flow, browser } = await afterConsent();
    expect(await asked(browser, { ...flow, resource: await aResource(app) })).toBe('page');
    expect(await asked(browser, { ...flow, client: await aClient(app) })).toBe('page');
    const other = new HttpBrowser();
    await signIn(other, await other.get(`${app.issuer}/login`), await aUser(app));
    expect(await asked(other, flow)).toBe('page');
  });

  it('after the consent was withdrawn, by the person or by an operator', async () => {
    for (const by of ['the person', 'an operator']) {
      const { flow, browser } = await afterConsent();
      const [consent] = await app.sql<{ id: string }>('select id from consents where user_id = $1', [flow.user.id]);
      const form = (await browser.get(`${app.issuer}/account`)).form('consent');
      if (by === 'the person') await browser.post(`${app.issuer}/account/withdraw`, form);
      else await app.admin('DELETE', `/admin/grants/consent/${consent?.id}`);
      expect(await asked(browser, flow)).toBe('page');
    }
  });

  it('[M15] after the metadata document of the client named other redirect URIs', async () => {
    const redirectUri = 'https://desk.example/callback';
    const path = '/changing-client.json';
    const document = (redirect_uris: string[]) => ({
      headers: { 'cache-control': 'no-store' },
      members: { redirect_uris },
    });
    const id = host.put(path, document([redirectUri]));
    const { flow, browser } = await afterConsent({}, { id, redirectUri });
    expect(await asked(browser, flow)).toBe('code');
    app.clock.advance(3600);
    host.put(path, document([redirectUri, 'https://evil.example/callback']));
    expect(await asked(browser, flow)).toBe('page');
  });
});

describe('unticking what was allowed before', () => {
  /** Goes through the page once more, with only `scopes` ticked. */
  async function allowOnly(browser: HttpBrowser, flow: Flow, scopes: readonly string[]): Promise<Visit> {
    const again = authorizeUrl(flow, pkce().challenge, { prompt: 'consent' });
    const page = await browser.follow(await browser.get(again), app.issuer);
    const fields = Object.entries(page.form('decision')).filter(([name]) => !name.startsWith('scope:'));
    const boxes = scopes.map((scope) => [`scope:${scope}`, 'on'] as const);
    return browser.post(`${app.issuer}/consent`, { ...Object.fromEntries([...fields, ...boxes]), decision: 'allow' });
  }

  async function aResourceServer({ resource }: Flow): Promise<ClientFixture> {
    const caller = await aConfidentialClient(app);
    await app.admin('POST', `/admin/resources/${resource.slug}/policy/runtime/client-ids`, { client_id: caller.id });
    return caller;
  }

  it('[B11] narrows every later refresh of earlier families, and their tokens live', async () => {
    const { flow, browser, tokens } = await afterConsent();
    const caller = await aResourceServer(flow);
    await allowOnly(browser, flow, ['notes:read']);
    expect(await introspect(app, tokens.access_token, caller)).toMatchObject({ active: true });
    const { status, body } = await refresh(flow, tokens.refresh_token);
    expect([status, body.scope]).toEqual([200, 'notes:read']);
    expect(await introspect(app, body.access_token, caller)).toMatchObject({ active: true, scope: 'notes:read' });
    const wider = await refresh(flow, body.refresh_token, { scope: 'notes:write' });
    expect(wider.body).toMatchObject({
      error: 'invalid_scope',
      error_description: 'scope notes:write exceeds what was granted',
    });
  });

  it('[B11] narrows a code that is still on its way, and ends one of which nothing is left', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const [both, one] = [
      await aGrantedCode(flow, {}, browser),
      await aGrantedCode(flow, { scope: 'notes:write' }, browser),
    ];
    await allowOnly(browser, flow, ['notes:read']);
    expect((await redeem(both)).body.scope).toBe('notes:read');
    const { status, body } = await redeem(one);
    expect([status, body.error, body.error_description]).toEqual([
      400,
      'invalid_grant',
      'the authorization this code stands for has ended',
    ]);
  });

  it('[B11] ends a family of which nothing is left', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const { tokens } = await tokensOf(flow, { scope: 'notes:write' }, browser);
    await allowOnly(browser, flow, ['notes:read']);
    const { status, body } = await refresh(flow, tokens.refresh_token);
    expect([status, body.error_description]).toEqual([400, 'refresh token is invalid or expired']);
  });

  it('makes the page be shown when the scope is asked for again', async () => {
    const { flow, browser } = await afterConsent();
    await allowOnly(browser, flow, ['notes:read']);
    expect(await asked(browser, flow, { scope: 'notes:read' })).toBe('code');
    expect(await asked(browser, flow)).toBe('page');
  });

  it('adds up: allowing one scope after the other allows both, and widens no family', async () => {
    const flow = await aFlow(app);
    const browser = new HttpBrowser();
    const { tokens } = await tokensOf(flow, { scope: 'notes:read' }, browser);
    await tokensOf(flow, { scope: 'notes:write' }, browser);
    expect(await asked(browser, flow)).toBe('code');
    expect((await refresh(flow, tokens.refresh_token)).body.scope).toBe('notes:read');
  });

  it('leaves nothing alive when the consent is withdrawn: tokens under superseded consents end too', async () => {
    const { flow, browser, tokens } = await afterConsent();
    const caller = await aResourceServer(flow);
    await allowOnly(browser, flow, ['notes:read']);
    await browser.post(`${app.issuer}/account/withdraw`, (await browser.get(`${app.issuer}/account`)).form('consent'));
    expect(await introspect(app, tokens.access_token, caller)).toEqual({ active: false });
    expect((await refresh(flow, tokens.refresh_token)).body.error_description).toBe(
      'refresh token is invalid or expired',
    );
  });
});
