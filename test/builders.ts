import { createHash, randomBytes, randomUUID } from 'node:crypto';
import type { Target, TestApp } from './app.js';
import { HttpBrowser, type Visit } from './http-browser.js';

export interface ResourceFixture {
  id: string;
  slug: string;
  uri: string;
}

export interface UserFixture {
  id: string;
  email: string;
  password: string;
}

export interface ClientFixture {
  id: string;
  secret?: string;
  redirectUri: string;
  /** Its secret goes with the form, not into the header. */
  posts?: boolean;
}

const REDIRECT = 'https://client.example/callback';

/** A Mint resource with two scopes, registered by the operator. */
export async function aResource(app: Target, draft: Record<string, unknown> = {}): Promise<ResourceFixture> {
  const slug = `notes-${randomUUID().slice(0, 8)}`;
  const { status, body } = await app.admin('POST', '/admin/resources', {
    slug,
    uri: `https://${slug}.example/mcp`,
    backend_kind: 'mint',
    display_name: 'Notes',
    scopes: [
      { name: 'notes:read', description: 'Read your notes' },
      { name: 'notes:write', description: 'Add and delete notes' },
    ],
    ...draft,
  });
  expectCreated(status, body);
  return { id: body.id, slug: body.slug, uri: body.uri };
}

/** A resource behind which a provider stands that nobody asks anything of. */
export async function aResourceOfSomebody(app: TestApp, draft: Record<string, unknown> = {}): Promise<ResourceFixture> {
  const provider = `host-${randomUUID().slice(0, 8)}`;
  await app.sql(
    `insert into broker_providers (id, slug, protocol, config_data, created_at, updated_at)
     values (gen_random_uuid(), $1, 'oauth', '{}', now(), now())`,
    [provider],
  );
  return aResource(app, { backend_kind: 'broker', broker_provider_slug: provider, ...draft });
}

export async function aUser(app: Target, draft: Record<string, unknown> = {}): Promise<UserFixture> {
  const email = `${randomUUID().slice(0, 8)}@people.example`;
  const password = 'correct horse battery';
  const { status, body } = await app.admin('POST', '/admin/users', { email, name: 'Ada', password, ...draft });
  expectCreated(status, body);
  return { id: body.id, email: body.email ?? email, password };
}

/** A public client with both grants, registered by the operator. */
export async function aClient(app: Target, draft: Record<string, unknown> = {}): Promise<ClientFixture> {
  const { status, body } = await app.admin('POST', '/admin/clients', {
    client_name: 'A client',
    redirect_uris: [REDIRECT],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
    ...draft,
  });
  expectCreated(status, body);
  const posts = body.token_endpoint_auth_method === 'client_secret_post' ? { posts: true } : {};
  return { id: body.client_id, secret: body.client_secret, redirectUri: body.redirect_uris[0] ?? REDIRECT, ...posts };
}

export const aConfidentialClient = (app: Target, draft: Record<string, unknown> = {}): Promise<ClientFixture> =>
  aClient(app, { token_endpoint_auth_method: 'client_secret_basic', ...draft });

function expectCreated(status: number, body: unknown): void {
  if (status !== 201) throw new Error(`the operator's API answered ${status}: ${JSON.stringify(body)}`);
}

export interface Pkce {
  verifier: string;
  challenge: string;
}

export function pkce(): Pkce {
  const verifier = randomBytes(32).toString('base64url');
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') };
}

export interface Flow {
  app: Target;
  client: ClientFixture;
  user: UserFixture;
  resource: ResourceFixture;
}

/** Everything that a flow needs, made by the operator. */
export async function aFlow(app: Target, draft: Record<string, unknown> = {}): Promise<Flow> {
  const [client, user, resource] = await Promise.all([aClient(app, draft), aUser(app), aResource(app)]);
  return { app, client, user, resource };
}

export function authorizeUrl(
  { app, client, resource }: Flow,
  challenge: string,
  parameters: Record<string, string | undefined> = {},
): string {
  const query = {
    response_type: 'code',
    client_id: client.id,
    redirect_uri: client.redirectUri,
    resource: resource.uri,
    scope: 'notes:read notes:write',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a-state',
    ...parameters,
  };
  const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
  return `${app.url}/oauth/authorize?${new URLSearchParams(given)}`;
}

/** Signs the person in on whichever page asks for it. */
export async function signIn(browser: HttpBrowser, page: Visit, user: UserFixture): Promise<Visit> {
  const fields = { ...page.form('password'), email: user.email, password: user.password };
  return browser.post(new URL('/login', page.url).href, fields);
}

/** Goes through login and consent as a person would. @returns the redirect to the client */
export async function allow(
  flow: Flow,
  challenge: string,
  parameters: Record<string, string | undefined> = {},
  browser = new HttpBrowser(),
): Promise<URL> {
  const origin = flow.app.url;
  let page = await browser.follow(await browser.get(authorizeUrl(flow, challenge, parameters)), origin);
  if (page.html.includes('name="password"'))
    page = await browser.follow(await signIn(browser, page, flow.user), origin);
  if (page.location === undefined) {
    page = await browser.post(`${origin}/consent`, { ...page.form('decision'), decision: 'allow' });
  }
  if (page.location === undefined) throw new Error(`no redirect, but ${page.status}: ${page.html.slice(-800)}`);
  return new URL(page.location);
}

export interface GrantedCode extends Flow {
  code: string;
  verifier: string;
}

/** A code that a person has allowed and nobody has redeemed. */
export async function aGrantedCode(
  flow: Flow,
  parameters: Record<string, string | undefined> = {},
  browser?: HttpBrowser,
): Promise<GrantedCode> {
  const { verifier, challenge } = pkce();
  const redirect = await allow(flow, challenge, parameters, browser);
  const code = redirect.searchParams.get('code');
  if (code === null) throw new Error(`no code: ${redirect.href}`);
  return { ...flow, code, verifier };
}

export interface TokenResponse {
  status: number;
  headers: Headers;
  body: any;
}

/** The header by which a confidential client authenticates. */
export function basicOf(client?: ClientFixture): Record<string, string> {
  if (client?.secret === undefined || client.posts) return {};
  return { authorization: `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}` };
}

/** What of a client's credentials goes with the form. */
function credentialsIn(client?: ClientFixture): Record<string, string> {
  if (client?.secret === undefined) return client ? { client_id: client.id } : {};
  return client.posts ? { client_id: client.id, client_secret: client.secret } : {};
}

/** POST of a form to a protocol endpoint, with client authentication as the client is registered. */
export async function postForm(
  app: Target,
  path: string,
  form: Record<string, string>,
  client?: ClientFixture,
): Promise<TokenResponse> {
  const response = await fetch(`${app.url}${path}`, {
    method: 'POST',
    headers: basicOf(client),
    body: new URLSearchParams({ ...form, ...credentialsIn(client) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === '' ? {} : JSON.parse(text) };
}

export const redeem = (
  { app, client, code, verifier }: GrantedCode,
  more: Record<string, string> = {},
): Promise<TokenResponse> =>
  postForm(
    app,
    '/oauth/token',
    { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: client.redirectUri, ...more },
    client,
  );

export const refresh = (
  { app, client }: Flow,
  refreshToken: string,
  more: Record<string, string> = {},
): Promise<TokenResponse> =>
  postForm(app, '/oauth/token', { grant_type: 'refresh_token', refresh_token: refreshToken, ...more }, client);

export const introspect = async (app: Target, token: string, caller: ClientFixture): Promise<any> =>
  (await postForm(app, '/oauth/introspect', { token }, caller)).body;

/** A flow that ended in tokens. */
export async function tokensOf(
  flow: Flow,
  parameters: Record<string, string | undefined> = {},
  browser?: HttpBrowser,
): Promise<GrantedCode & { tokens: any }> {
  const granted = await aGrantedCode(flow, parameters, browser);
  const { status, body } = await redeem(granted);
  if (status !== 200) throw new Error(`the token endpoint answered ${status}: ${JSON.stringify(body)}`);
  return { ...granted, tokens: body };
}

/** The newest audit events of an action. */
export const audited = (
  app: TestApp,
  action: string,
): Promise<
  { action: string; reason: string | null; client_id: string | null; actor_id: string | null; detail: any }[]
> =>
  app.sql('select action, reason, client_id, actor_id, detail from audit_events where action = $1 order by id desc', [
    action,
  ]);
