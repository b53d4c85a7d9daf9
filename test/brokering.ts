import { randomBytes, randomUUID } from 'node:crypto';
import { CredentialVault } from '../src/broker/credential-vault.js';
import { AesMaster } from '../src/encryption/aes-master.js';
import type { TestApp } from './app.js';
import { aResource, pkce, type ClientFixture, type ResourceFixture, type TokenResponse } from './builders.js';
import { anAgent, exchange, letActAs, startExchangingApp, started, type Started } from './exchanges.js';
import { HttpBrowser } from './http-browser.js';
import { misbehavingProxy, type MisbehavingProxy } from './upstream/misbehaving-proxy.js';
import { Upstream, type UpstreamClient, type UpstreamSettings } from './upstream/upstream.js';

const MASTER_KEY = randomBytes(32).toString('hex');
const CALLBACK = 'http://localhost:1/callback';

/** A third party with an account for whoever signs in, and the network between it and this server. */
export interface World {
  readonly upstream: Upstream;
  readonly proxy: MisbehavingProxy;
  readonly client: UpstreamClient;
  /** What the server must be started with, to encrypt at rest and to know its secret at upstream. */
  readonly settings: Record<string, string>;
  end(): Promise<void>;
}

export async function aWorld(settings: Partial<UpstreamSettings> = {}): Promise<World> {
  const upstream = await Upstream.start(settings);
  const proxy = await misbehavingProxy(upstream.origin);
  const client = await upstream.register(CALLBACK);
  return {
    upstream,
    proxy,
    client,
    settings: {
      DATA_ENCRYPTION_DRIVER: 'aes_master',
      DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_VAULT_MASTER_KEY',
      VAULT_MASTER_KEY: MASTER_KEY,
      VAULT_UPSTREAM_SECRET: client.clientSecret,
    },
    end: async () => {
      await proxy.close();
      await upstream.stop();
    },
  };
}

export const startBrokerApp = (world: World, settings: Record<string, string> = {}, yaml?: string): Promise<TestApp> =>
  startExchangingApp({ ...world.settings, ...settings }, yaml);

/** What these builders need of a server, in this process or in another. */
export type Broker = Pick<TestApp, 'issuer' | 'url' | 'admin' | 'sql' | 'clock'>;

export interface ProviderFixture {
  readonly id: string;
  readonly slug: string;
}

/** An upstream as the operator registers it. */
export async function aProvider(
  app: Broker,
  world: World,
  config: object = {},
  draft: object = {},
): Promise<ProviderFixture> {
  const slug = `acme-${randomUUID().slice(0, 8)}`;
  const { status, body } = await app.admin('POST', '/admin/broker-providers', {
    slug,
    display_name: 'Acme',
    protocol: 'oauth',
    config_data: {
      client_id: world.client.clientId,
      client_secret_ref: 'AUTHPLANE_VAULT_UPSTREAM_SECRET',
      authorize_url: `${world.upstream.origin}/auth`,
      token_url: `${world.proxy.origin}/token`,
      ...config,
    },
    ...draft,
  });
  if (status !== 201) throw new Error(JSON.stringify(body));
  return { id: body.id, slug: body.slug };
}

const REPO_SCOPES = [{ name: 'repo:read' }, { name: 'repo:write' }];

/** A resource behind which a provider stands. */
export async function aBrokerResource(
  app: Broker,
  provider: ProviderFixture,
  draft: Record<string, unknown> = {},
): Promise<ResourceFixture> {
  const slug = `repos-${randomUUID().slice(0, 8)}`;
  const uri = `https://${slug}.example`;
  return aResource(app as TestApp, {
    slug,
    uri,
    backend_kind: 'broker',
    broker_provider_id: provider.id,
    scopes: REPO_SCOPES,
    ...draft,
  });
}

/** An account that a person really has upstream, and what it gave this server. */
export async function anUpstreamGrant(world: World, scopes: readonly string[]): Promise<{ refreshToken: string }> {
  const { upstream, client } = world;
  const { verifier, challenge } = pkce();
  const query = {
    response_type: 'code',
    client_id: client.clientId,
    redirect_uri: CALLBACK,
    scope: scopes.join(' '),
    code_challenge: challenge,
    code_challenge_method: 'S256',
  };
  const browser = new HttpBrowser();
  const visit = await browser.get(`${upstream.origin}/auth?${new URLSearchParams(query)}`);
  const code = new URL((await upstream.allow(browser, visit)).location!).searchParams.get('code');
  const response = await fetch(`${upstream.origin}/token`, {
    method: 'POST',
    headers: {
      authorization: `Basic ${Buffer.from(`${client.clientId}:${client.clientSecret}`).toString('base64')}`,
    },
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: code ?? '',
      redirect_uri: CALLBACK,
      code_verifier: verifier,
    }),
  });
  const body = (await response.json()) as { refresh_token?: string };
  if (body.refresh_token === undefined) throw new Error(`upstream gave no refresh token: ${JSON.stringify(body)}`);
  return { refreshToken: body.refresh_token };
}

export interface ConnectionFixture {
  readonly id: string;
  readonly refreshToken: string;
}

interface Place {
  readonly userId: string;
  readonly provider: ProviderFixture;
}

/** A connected account, as the connect flow would leave it. */
export async function aConnection(
  app: Broker,
  world: World,
  { userId, provider }: Place,
  scopes: readonly string[] = ['repo:read', 'repo:write'],
): Promise<ConnectionFixture> {
  const id = randomUUID();
  const { refreshToken } = await anUpstreamGrant(world, scopes);
  const vault = new CredentialVault(new AesMaster(MASTER_KEY));
  const sealed = await vault.sealCredential({ id, userId, providerId: provider.id }, { refreshToken });
  await app.sql(
    `insert into connections (id, user_id, provider_id, scopes, sealed_credential, created_at, updated_at)
     values ($1, $2, $3, $4, $5, $6, $6)`,
    [id, userId, provider.id, scopes, sealed, app.clock.now()],
  );
  return { id, refreshToken };
}

/** The person lets an MCP server use the account. */
export async function letUse(
  app: Broker,
  { userId, provider }: Place,
  source: ResourceFixture,
  scopes: readonly string[] = ['repo:read', 'repo:write'],
): Promise<{ id: string }> {
  const id = randomUUID();
  await app.sql(
    `insert into connection_consents (id, user_id, provider_id, source_resource_id, scopes, created_at)
     values ($1, $2, $3, $4, $5, $6)`,
    [id, userId, provider.id, source.id, scopes, app.clock.now()],
  );
  return { id };
}

/** Puts another credential into a connection. */
export async function reseal(
  app: Broker,
  place: { id: string; userId: string; providerId: string },
  credential: object,
): Promise<void> {
  const sealed = await new CredentialVault(new AesMaster(MASTER_KEY)).sealCredential(place, credential);
  await app.sql('update connections set sealed_credential = $2 where id = $1', [place.id, sealed]);
}

/** What the vault holds of a connection by now. */
export async function credentialOf(app: Broker, id: string): Promise<{ refreshToken?: string }> {
  const [row] = await app.sql<{ user_id: string; provider_id: string; sealed_credential: string }>(
    'select user_id, provider_id, sealed_credential from connections where id = $1',
    [id],
  );
  const place = { id, userId: row!.user_id, providerId: row!.provider_id, sealedCredential: row!.sealed_credential };
  const vault = new CredentialVault(new AesMaster(MASTER_KEY));
  return vault.openCredential(place as unknown as Parameters<CredentialVault['openCredential']>[0]);
}

/** An agent, a person, an MCP server that the agent calls, and an account that the person connected for it. */
export interface Vending {
  readonly at: Started;
  /** The MCP server's resource. */
  readonly source: ResourceFixture;
  /** The MCP server as a client. */
  readonly server: ClientFixture;
  readonly provider: ProviderFixture;
  readonly target: ResourceFixture;
  readonly connection: ConnectionFixture;
  readonly consent: { id: string };
  /** What the MCP server asks for when it is shown the agent's token. */
  ask(more?: Record<string, string>): Promise<TokenResponse>;
}

export interface VendingDraft {
  /** Of the provider. */
  readonly config?: object;
  /** Of the broker resource. */
  readonly scopes?: object[];
  /** What upstream granted, and the person let the MCP server use, in upstream's words. */
  readonly granted?: readonly string[];
  /** What the agent's token holds. */
  readonly agentScope?: string;
  /** The MCP server as a client. */
  readonly server?: ClientFixture;
  /** Of the provider, besides `config`: `protocol`. */
  readonly draft?: object;
}

export async function aVending(app: TestApp, world: World, given: VendingDraft = {}): Promise<Vending> {
  const { config = {}, scopes = REPO_SCOPES, granted, agentScope } = given;
  const source = await aResource(app, { scopes: REPO_SCOPES });
  // One after the other: who changes policy while another asks has that one decide again.
  const server = given.server ?? (await anAgent(app));
  const provider = await aProvider(app, world, config, given.draft);
  await letActAs(app, source, server);
  const target = await aBrokerResource(app, provider, { scopes });
  const at = await started(app, { resource: source, scope: agentScope ?? 'repo:read repo:write' });
  const place = { userId: at.user.id, provider };
  const connection = await aConnection(app, world, place, granted);
  const consent = await letUse(app, place, source, granted);
  const ask = (more: Record<string, string> = {}): Promise<TokenResponse> =>
    exchange(app, server, at.token, { resource: target.uri, ...more });
  return { at, source, server, provider, target, connection, consent, ask };
}

/** How a connection stands. */
export async function stateOf(app: Broker, { id }: { id: string }): Promise<any> {
  const [row] = await app.sql(
    `select status, status_reason, version::int, scopes, failing_since, last_failure, retry_at, last_used_client_id,
            sealed_access_token is not null as kept,
            (select a.version::int from refresh_attempts a where a.connection_id = c.id) as mark
       from connections c where id = $1`,
    [id],
  );
  return row;
}
