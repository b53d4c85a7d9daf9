/** Three replicas behind nginx, their databases and an upstream provider, and what the operator has registered. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { randomBytes, randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair } from 'jose';
import { AesMaster } from '../../../dist/src/encryption/aes-master.js';
import { Ingress } from './ingress.mjs';
import { PostgresPair } from './postgres-pair.mjs';
import { atTheEnd, freePort, undo, undoMark } from './processes.mjs';
import { SentinelRedis, SingleRedis } from './redis.mjs';
import { ADMIN_KEY, Replica } from './replica.mjs';
import { startUpstream } from './upstream.mjs';

const MASTER_KEY = 'ab'.repeat(32);
const REPLICAS = 3;
const PEOPLE = 8;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const REDIRECT = 'https://client.example/callback';
export const PASSWORD = 'correct horse battery';

export class World {
  /**
   * @param options.build where the servers were built; ours unless told otherwise
   * @param options.sentinel Redis under Sentinels
   * @param options.failover the servers know both databases
   * @param options.env more settings
   * @param options.settings of PostgreSQL
   */
  static async start({ build, sentinel = false, failover = false, smallDisk, env = {}, settings } = {}) {
    const world = new World();
    world.mark = undoMark();
    world.home = mkdtempSync(join(tmpdir(), 'authplane-faults-'));
    chmodSync(world.home, 0o755);
    atTheEnd(() => rmSync(world.home, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }));
    try {
      await world.#start({ build, sentinel, failover, smallDisk, env, settings });
    } catch (error) {
      await world.stop();
      throw error;
    }
    return world;
  }

  async #start({ build, sentinel, failover, smallDisk, env, settings }) {
    const { home } = this;
    this.upstream = await startUpstream();
    this.postgres = await PostgresPair.start(home, { smallDisk, settings });
    this.redis = await (sentinel ? SentinelRedis : SingleRedis).start(home);
    const port = await freePort();
    this.issuer = `http://localhost:${port}`;
    this.env = {
      AUTHPLANE_SERVER_ISSUER: this.issuer,
      AUTHPLANE_SERVER_TRUSTED_PROXIES: '127.0.0.1/32',
      AUTHPLANE_STORAGE_DRIVER: 'postgres',
      AUTHPLANE_STORAGE_POSTGRES_DSN: failover ? this.postgres.dsn : this.postgres.dsnOfPrimary,
      ...this.redis.env,
      AUTHPLANE_SIGNING_KEY_STORE: 'postgres_key',
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'HARNESS_MASTER_KEY',
      HARNESS_MASTER_KEY: MASTER_KEY,
      AUTHPLANE_SESSION_SECRET: 'harness-session-secret-0123456789abcdef',
      AUTHPLANE_ADMIN_API_KEY: ADMIN_KEY,
      AUTHPLANE_CLIENT_CREDENTIALS_ENABLED: 'true',
      AUTHPLANE_TOKEN_EXCHANGE_ENABLED: 'true',
      AUTHPLANE_RATE_LIMIT_RPS: '1000000', // one address asks for everybody
      AUTHPLANE_RATE_LIMIT_BURST: '1000000',
      AUTHPLANE_VAULT_UPSTREAM_SECRET: 'harness-upstream-secret',
      ...env,
    };
    this.replicas = [];
    for (let n = 1; n <= REPLICAS; n += 1)
      this.replicas.push(await Replica.prepare(home, `replica-${n}`, this.env, build));
    this.replicas.forEach((replica) => replica.launch());
    await Promise.all(this.replicas.map((replica) => replica.untilReady()));
    if ((await this.redis.connections()) < REPLICAS) throw new Error('the replicas do not use this Redis');
    this.ingress = await Ingress.start(home, port, this.replicas);
    await this.#register();
  }

  /** Any replica that lives but `other`. */
  someReplica(other) {
    const others = this.replicas.filter((replica) => replica !== other && replica.lives);
    return others[Math.floor(Math.random() * others.length)] ?? this.replicas.find((replica) => replica !== other);
  }

  admin(method, path, body) {
    return this.someReplica().admin(method, path, body);
  }

  sql(text, values) {
    return this.postgres.sql(text, values);
  }

  /** A client of its own for whoever needs one. */
  client(draft) {
    return this.admin('POST', 'clients', { client_name: 'A client', redirect_uris: [REDIRECT], ...draft });
  }

  async #register() {
    const [first] = this.replicas;
    const scopes = [{ name: 'notes:read', description: 'Read your notes' }];
    const resource = (slug, draft = {}) =>
      first.admin('POST', 'resources', {
        slug,
        uri: `https://${slug}.example`,
        backend_kind: 'mint',
        display_name: slug,
        scopes,
        ...draft,
      });
    const client = (draft) =>
      first.admin('POST', 'clients', { client_name: 'A client', redirect_uris: [REDIRECT], ...draft });
    const families = ['authorization_code', 'refresh_token'];
    const basic = { token_endpoint_auth_method: 'client_secret_basic' };
    this.notes = await resource('notes');
    this.archive = await resource('archive');
    const provider = await first.admin('POST', 'broker-providers', {
      slug: 'acme',
      protocol: 'oauth',
      config_data: {
        client_id: 'harness',
        client_secret_ref: 'AUTHPLANE_VAULT_UPSTREAM_SECRET',
        authorize_url: this.upstream.url,
        token_url: this.upstream.url,
        cache_access_tokens: false,
      },
    });
    this.repos = await resource('repos', { backend_kind: 'broker', broker_provider_id: provider.id });
    const keys = await generateKeyPair('ES256', { extractable: true });
    const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'harness' };
    this.clients = {
      public: await client({ token_endpoint_auth_method: 'none', grant_types: families }),
      bound: await client({
        token_endpoint_auth_method: 'none',
        grant_types: families,
        dpop_bound_access_tokens: true,
      }),
      confidential: await client({ ...basic, grant_types: families }),
      withdrawn: await client({ ...basic, grant_types: families }),
      machine: await client({ ...basic, grant_types: ['client_credentials'], scope: 'notes:read' }),
      keyed: {
        ...(await client({
          token_endpoint_auth_method: 'private_key_jwt',
          grant_types: ['client_credentials'],
          scope: 'notes:read',
          jwks: { keys: [jwk] },
        })),
        privateKey: keys.privateKey,
      },
      acting: await client({ ...basic, grant_types: [EXCHANGE] }),
      watching: await client({ ...basic, grant_types: ['client_credentials'] }),
    };
    const { acting, watching } = this.clients;
    for (const slug of ['notes', 'archive'])
      await first.admin('POST', `resources/${slug}/policy/runtime/client-ids`, { client_id: watching.client_id });
    await first.admin('POST', 'resources/notes/policy/runtime/client-ids', { client_id: acting.client_id });
    await first.admin('POST', 'resources/archive/policy/exchange/allowed-clients', { client_id: acting.client_id });
    this.people = [];
    for (let n = 0; n < PEOPLE; n += 1) {
      const email = `person-${n}@people.example`;
      const { id } = await first.admin('POST', 'users', { email, name: 'Ada', password: PASSWORD });
      this.people.push({ id, email, upstreamToken: await this.#connect(id, provider.id) });
    }
  }

  /** The person's account at the provider, as the connect page would leave it, for the MCP server at `notes`. */
  async #connect(userId, providerId) {
    const [id, refreshToken] = [randomUUID(), randomBytes(12).toString('hex')];
    const context = `connection-credential:${userId}/${providerId}/${id}`;
    const sealed = await new AesMaster(MASTER_KEY).seal(Buffer.from(JSON.stringify({ refreshToken })), context);
    await this.sql(
      `insert into connections (id, user_id, provider_id, scopes, sealed_credential, created_at, updated_at)
       values ($1, $2, $3, '{notes:read}', $4, now(), now())`,
      [id, userId, providerId, sealed],
    );
    await this.sql(
      `insert into connection_consents (id, user_id, provider_id, source_resource_id, scopes, created_at)
       values ($1, $2, $3, $4, '{notes:read}', now())`,
      [randomUUID(), userId, providerId, this.notes.id],
    );
    return refreshToken;
  }

  async stop() {
    await Promise.all((this.replicas ?? []).map((replica) => replica.end('SIGTERM')));
    await this.ingress?.stop();
    await this.redis?.stop();
    await this.postgres?.stop();
    this.upstream?.stop();
    undo(this.mark);
  }
}
