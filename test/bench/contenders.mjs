/** Who is measured: the built server, and the peer. Both know one client, one resource and one scope. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import pg from 'pg';
import { BuiltServer } from './built-server.mjs';
import { Person, redirectUri } from './person.mjs';

const resource = 'https://notes.example/mcp';
const scope = 'notes:read';

const CODES_AT_ONCE = 8;

export const clientCredentialsForm = new URLSearchParams({
  grant_type: 'client_credentials',
  resource,
  scope,
}).toString();

const basic = (id, secret) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

export class Ours {
  name = 'authplane';
  audience = resource;
  #account = { email: 'ada@people.example', password: 'correct horse battery' };
  #client;

  /** @param options.profiled the server writes a CPU profile into its home when it ends */
  static async start({ profiled = false } = {}) {
    const ours = new Ours();
    ours.server = await BuiltServer.prepare({ AUTHPLANE_CLIENT_CREDENTIALS_ENABLED: 'true' });
    try {
      await ours.#start(profiled ? ['--cpu-prof', `--cpu-prof-dir=${ours.server.home}`] : []);
    } catch (error) {
      await ours.end();
      throw error;
    }
    return ours;
  }

  async #start(nodeOptions) {
    const { server } = this;
    await server.start(nodeOptions);
    this.issuer = server.issuer;
    this.tokenUrl = `${server.issuer}/oauth/token`;
    this.jwksUrl = `${server.issuer}/.well-known/jwks.json`;
    const scopes = [{ name: scope, description: 'Read your notes' }];
    await server.admin('resources', {
      slug: 'notes',
      uri: resource,
      backend_kind: 'mint',
      display_name: 'Notes',
      scopes,
    });
    await server.admin('users', { ...this.#account, name: 'Ada' });
    this.#client = await server.admin('clients', {
      client_name: 'Bench',
      redirect_uris: [redirectUri],
      grant_types: ['client_credentials', 'authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'client_secret_basic',
      scope,
    });
    this.authorization = basic(this.#client.client_id, this.#client.client_secret);
    this.database = new pg.Client(server.database);
    await this.database.connect();
  }

  /** @returns refresh tokens of families that a person allowed, each by a code */
  async families(count) {
    const person = new Person(this.issuer, this.#account);
    const tokens = [await this.#family(person)]; // signs in and allows once; the others find both
    while (tokens.length < count) {
      const more = Math.min(CODES_AT_ONCE, count - tokens.length);
      tokens.push(...(await Promise.all(Array.from({ length: more }, () => this.#family(person)))));
    }
    return tokens;
  }

  async #family(person) {
    const { code, verifier } = await person.code({ clientId: this.#client.client_id, resource, scope });
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri };
    const response = await fetch(this.tokenUrl, {
      method: 'POST',
      headers: { authorization: this.authorization },
      body: new URLSearchParams(form),
    });
    const answer = await response.json();
    if (response.status !== 200) throw new Error(`a code was refused: ${JSON.stringify(answer)}`);
    return answer.refresh_token;
  }

  /** What the database promises about a commit, as its settings say. */
  async durability() {
    const names = ['fsync', 'synchronous_commit', 'full_page_writes', 'wal_sync_method'];
    const { rows } = await this.database.query('select name, setting from pg_settings where name = any($1)', [names]);
    return Object.fromEntries(rows.map(({ name, setting }) => [name, setting]));
  }

  /** How many tokens the database keeps, and how often it made its log durable so far. */
  async stored() {
    const { rows } = await this.database.query(
      `select (select count(*)::int from issuances) as issuances,
              (select sum(fsyncs)::int from pg_stat_io where object = 'wal') as fsyncs`,
    );
    return rows[0];
  }

  /** Whose processor time its tokens cost. */
  get processes() {
    return { server: [this.server.pid], database: this.server.databasePids };
  }

  async stop() {
    await this.database?.end(); // before the server ends the database
    this.database = undefined;
    await this.server.stop();
  }

  async end() {
    await this.stop();
    await this.server.cleanUp();
  }
}

export class Theirs {
  name = 'oidc-provider';
  audience = resource;

  static async start() {
    const theirs = new Theirs();
    theirs.process = fork(join(import.meta.dirname, 'peer.mjs'), [resource, scope], { stdio: 'ignore' });
    const [{ issuer, clientId, clientSecret }] = await once(theirs.process, 'message');
    theirs.issuer = issuer;
    theirs.tokenUrl = `${issuer}/token`;
    theirs.jwksUrl = `${issuer}/jwks`;
    theirs.authorization = basic(clientId, clientSecret);
    return theirs;
  }

  async families(count) {
    this.process.send({ families: count });
    const [{ refreshTokens }] = await once(this.process, 'message');
    return refreshTokens;
  }

  get processes() {
    return { server: [this.process.pid], database: [] };
  }

  async end() {
    this.process.disconnect();
  }
}
