import { randomUUID } from 'node:crypto';
import { ConnectLinks, type ConnectQuestion } from '../src/broker/connect-links.js';
import { loadConfig } from '../src/config/load-config.js';
import { SESSION_SECRET, type TestApp } from './app.js';
import { aBrokerResource, aProvider, type ProviderFixture, type World } from './brokering.js';
import {
  aClient,
  aResource,
  aUser,
  signIn,
  type ClientFixture,
  type ResourceFixture,
  type UserFixture,
} from './builders.js';
import { HttpBrowser, type Visit } from './http-browser.js';

/** A provider at which this server is registered, with its own redirect URI, as one whose people connect accounts. */
export async function aConnectProvider(app: TestApp, world: World, config: object = {}): Promise<ProviderFixture> {
  const slug = `acme-${randomUUID().slice(0, 8)}`;
  const redirectUri = `${app.issuer}/connect/${slug}/callback`;
  const { clientId } = await world.upstream.register(redirectUri, { token_endpoint_auth_method: 'none' });
  return aProvider(
    app,
    world,
    {
      client_id: clientId,
      client_secret_ref: undefined,
      token_auth_method: 'none',
      issuer: world.upstream.origin,
      account_url: `${world.proxy.origin}/api/me`,
      account_member: 'login',
      // `oidc-provider` gives refresh tokens for offline access alone, and asks for consent then.
      extra_auth_params: { prompt: 'consent' },
      ...config,
    },
    { slug },
  );
}

export interface Connecting {
  readonly app: TestApp;
  readonly world: World;
  readonly user: UserFixture;
  /** The application that began the chain. */
  readonly client: ClientFixture;
  /** The MCP server's resource. */
  readonly source: ResourceFixture;
  readonly target: ResourceFixture;
  readonly provider: ProviderFixture;
}

/** Everything that a question to a person needs. */
export async function aConnecting(
  app: TestApp,
  world: World,
  { config = {}, target = {} }: { config?: object; target?: Record<string, unknown> } = {},
): Promise<Connecting> {
  const [user, client, source, provider] = await Promise.all([
    aUser(app),
    aClient(app, { client_name: 'Note Agent' }),
    aResource(app, { display_name: 'Notes server' }),
    aConnectProvider(app, world, config),
  ]);
  const scopes = [
    { name: 'read', upstream: 'repo:read', description: 'Read your repositories' },
    { name: 'write', upstream: 'repo:write', description: 'Change your repositories' },
  ];
  return {
    app,
    world,
    user,
    client,
    source,
    provider,
    target: await aBrokerResource(app, provider, { scopes, ...target }),
  };
}

/** The link by which the person is asked, as a refused exchange would give it. */
export function aLink({ app, ...at }: Connecting, changed: Partial<ConnectQuestion> = {}): string {
  return linksOf(app).make({
    userId: at.user.id,
    clientId: at.client.id,
    sourceResourceId: at.source.id,
    targetResourceId: at.target.id,
    providerSlug: at.provider.slug,
    scopes: ['read'],
    ...changed,
  }).url;
}

/** The maker of links that the app has, by the same secret and clock. */
function linksOf(app: TestApp): ConnectLinks {
  const env = { AUTHPLANE_SERVER_ISSUER: app.issuer, AUTHPLANE_SESSION_SECRET: SESSION_SECRET };
  return new ConnectLinks(loadConfig({ env }), app.clock);
}

/** Opens a page of this server as the person would, signing in where that is asked. */
export async function openAs(
  app: TestApp,
  user: UserFixture,
  url: string,
  browser = new HttpBrowser(),
): Promise<{ browser: HttpBrowser; page: Visit }> {
  const page = await browser.follow(await browser.get(url), app.issuer);
  if (!page.html.includes('name="password"')) return { browser, page };
  return { browser, page: await browser.follow(await signIn(browser, page, user), app.issuer) };
}

export async function signedIn(app: TestApp, user: UserFixture, browser = new HttpBrowser()): Promise<HttpBrowser> {
  await openAs(app, user, `${app.issuer}/login`, browser);
  return browser;
}

/** Presses a button of the connect page. */
export const press = (browser: HttpBrowser, page: Visit, changed: Record<string, string> = {}): Promise<Visit> =>
  browser.post(page.url.split('?')[0] ?? '', { ...page.form('decision'), decision: 'allow', ...changed });

/** From the link to the redirect back from upstream, which has not been followed. */
export async function toCallback(
  at: Connecting,
  { url = aLink(at), browser = new HttpBrowser(), login = 'ada', without = [] as string[], deny = false } = {},
): Promise<{ browser: HttpBrowser; callback: string }> {
  const { page } = await openAs(at.app, at.user, url, browser);
  const leaving = await press(browser, page);
  const elsewhere = new HttpBrowser();
  const back = await at.world.upstream.allow(elsewhere, leaving, { login, without, deny });
  if (back.location === undefined) throw new Error(`no way back: ${back.status}`);
  return { browser, callback: back.location };
}

/** The whole way. */
export async function connected(
  at: Connecting,
  options: Parameters<typeof toCallback>[1] = {},
): Promise<{ browser: HttpBrowser; done: Visit }> {
  const { browser, callback } = await toCallback(at, options);
  return { browser, done: await browser.follow(await browser.get(callback), at.app.issuer) };
}

/** What is stored of a person's accounts, secrets left out. */
export const connectionsOf = ({ app, user }: Connecting): Promise<any[]> =>
  app.sql(
    `select id, account, scopes, status, status_reason, version::int, upstream_revocation, sealed_credential is not null as sealed
       from connections where user_id = $1 order by id`,
    [user.id],
  );

/** What MCP servers may have of them. */
export const consentsOf = ({ app, user }: Connecting): Promise<any[]> =>
  app.sql(
    `select id, source_resource_id, scopes from connection_consents
      where user_id = $1 and superseded_at is null and revoked_at is null order by id`,
    [user.id],
  );
