/**
 * Re-encryption while vends go on, measured on the built server with its embedded database:
 *
 *   node test/bench/re-encryption.mjs [connections]      (after `npm run build`; 100,000 unless told otherwise)
 *
 * The connections' credentials are sealed by the former master key. Some of them are of people whose MCP server asks for their upstream
 * token all the while, over HTTP: of half of them a token is kept, of the others each vend refreshes at an upstream that rotates and takes
 * a refresh token once. Exit code 1 when a vend failed, a token was not the newest, or a credential is left that needs the former key.
 * Load and upstream are in this process, on the same processors.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { cpus, loadavg } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { AesMaster } from '../../dist/src/encryption/aes-master.js';
import { uuid7 } from '../../dist/src/platform/uuid7.js';
import { BuiltServer } from './built-server.mjs';
import { Person, redirectUri } from './person.mjs';

const CONNECTIONS = Number(process.argv[2] ?? 100_000);
const PEOPLE = 6;
const LEAD_SECONDS = 3;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const former = 'ab'.repeat(32);
const current = 'cd'.repeat(32);
const password = 'bench-password-0123456789';
const source = 'https://mcp.example';
const kinds = [
  { name: 'kept', uri: 'https://kept.example', caches: true },
  { name: 'refreshed', uri: 'https://refreshed.example', caches: false },
];

async function measure(server, upstream) {
  console.log(`Node ${process.versions.node}, ${cpus().length} processors, load ${loadavg()[0].toFixed(1)}`);
  await server.start();
  const world = await register(server, upstream.url);
  const pool = new pg.Pool({ ...server.database, max: 4 });
  await plant(pool, world);
  console.log(`${CONNECTIONS} connections planted, ${world.vendings.length} of them in use`);

  const load = { over: false, lanes: [] };
  load.lanes = world.vendings.map((vending) => lane(server, world, vending, upstream, load));
  await sleep(LEAD_SECONDS * 1000);
  const before = total(world);
  console.log(`before it: ${Math.round(before.vended / LEAD_SECONDS)} vends per second`);

  const startedAt = performance.now();
  await server.admin('encryption/reencryption');
  let record;
  do {
    await sleep(250);
    record = await server.admin('encryption/reencryption', undefined, 'GET');
  } while (record.state !== 'finished' && record.last_error === undefined);
  const seconds = (performance.now() - startedAt) / 1000;
  const meanwhile = total(world).vended - before.vended;
  load.over = true;
  await Promise.all(load.lanes);

  const { moved } = record.columns.find(({ column }) => column === 'connections.sealed_credential');
  const left = await unopened(pool, new AesMaster(current));
  await pool.end();
  const { failed, slowest, firstFailure, refreshes } = total(world);
  console.log(`${moved} values moved in ${seconds.toFixed(1)} s, ${Math.round(moved / seconds)} per second`);
  console.log(
    `meanwhile ${meanwhile} vends, ${Math.round(meanwhile / seconds)} per second, ${refreshes} refreshes in all`,
  );
  console.log(`slowest vend ${slowest.toFixed(0)} ms; ${failed} failed; ${upstream.refused} refused by upstream`);
  if (firstFailure) console.log(firstFailure);
  console.log(`${left} do not open under the new key alone; ${record.last_error ?? 'finished'}`);
  const fine = failed + left + upstream.refused === 0 && meanwhile > 0 && record.state === 'finished';
  if (!fine) process.exitCode = 1;
}

/** An MCP server, an agent, and people who let the one use the other; an upstream that may be kept of, and one that may not. */
async function register(server, tokenUrl) {
  const scopes = [{ name: 'repo', description: 'Your repositories' }];
  const mcp = await server.admin('resources', {
    slug: 'mcp',
    uri: source,
    backend_kind: 'mint',
    display_name: 'MCP',
    scopes,
  });
  const draft = { token_endpoint_auth_method: 'client_secret_basic', redirect_uris: [redirectUri] };
  const agent = await server.admin('clients', { ...draft, client_name: 'Agent', grant_types: ['authorization_code'] });
  const acting = await server.admin('clients', { ...draft, client_name: 'MCP', grant_types: [EXCHANGE] });
  await server.admin('resources/mcp/policy/runtime/client-ids', { client_id: acting.client_id });
  for (const kind of kinds) {
    const config_data = {
      client_id: 'bench',
      client_secret: 'bench-upstream-secret',
      authorize_url: tokenUrl,
      token_url: tokenUrl,
      cache_access_tokens: kind.caches,
    };
    kind.provider = await server.admin('broker-providers', { slug: kind.name, protocol: 'oauth', config_data });
    await server.admin('resources', {
      slug: kind.name,
      uri: kind.uri,
      backend_kind: 'broker',
      display_name: kind.name,
      broker_provider_id: kind.provider.id,
      scopes,
    });
  }
  const vendings = [];
  for (let n = 0; n < PEOPLE; n += 1) {
    const email = `person-${n}@example.com`;
    const { id: userId } = await server.admin('users', { email, password, name: 'Ada' });
    const token = await tokenOf(server, agent, { email, password });
    for (const kind of kinds)
      vendings.push({ kind, userId, token, tally: { vended: 0, failed: 0, slowest: 0, refreshes: 0 } });
  }
  return { mcp, authorization: basic(acting), vendings };
}

async function tokenOf(server, agent, account) {
  const { code, verifier } = await new Person(server.issuer, account).code({
    clientId: agent.client_id,
    resource: source,
    scope: 'repo',
  });
  const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri };
  const { status, body } = await post(server, basic(agent), form);
  if (status !== 200) throw new Error(JSON.stringify(body));
  return body.access_token;
}

/** The connections in use lie evenly among the others. */
async function plant(pool, { mcp, vendings }) {
  const seal = new AesMaster(former);
  const every = Math.floor(CONNECTIONS / vendings.length);
  for (let from = 0; from < CONNECTIONS; from += 1_000) {
    const rows = await Promise.all(
      Array.from({ length: Math.min(1_000, CONNECTIONS - from) }, async (_, offset) => {
        const at = from + offset;
        const used = at % every === 0 ? vendings[at / every] : undefined;
        const { kind, userId } = used ?? { kind: kinds[0], userId: randomUUID() };
        const id = uuid7(new Date());
        if (used) used.connection = id;
        const credential = { refreshToken: used ? `${id}.1` : `ghr_${'x'.repeat(70)}` };
        const context = contextOf(userId, kind.provider.id, id);
        const sealed = await seal.seal(Buffer.from(JSON.stringify(credential)), context);
        return { id, user_id: userId, provider_id: kind.provider.id, sealed };
      }),
    );
    await pool.query(
      `insert into connections (id, user_id, provider_id, scopes, sealed_credential, created_at, updated_at)
       select id, user_id, provider_id, '{repo}', sealed, now(), now()
         from jsonb_to_recordset($1::jsonb) as r(id uuid, user_id uuid, provider_id uuid, sealed text)`,
      [JSON.stringify(rows)],
    );
  }
  for (const { kind, userId } of vendings)
    await pool.query(
      `insert into connection_consents (id, user_id, provider_id, source_resource_id, scopes, created_at)
       values ($1, $2, $3, $4, '{repo}', now())`,
      [randomUUID(), userId, kind.provider.id, mcp.id],
    );
}

const contextOf = (userId, providerId, id) => `connection-credential:${userId}/${providerId}/${id}`;

/** One person's MCP server asks again as soon as it has an answer. */
async function lane(server, { authorization }, { kind, token, connection, tally }, upstream, load) {
  const subject = { subject_token: token, subject_token_type: 'urn:ietf:params:oauth:token-type:access_token' };
  const form = { grant_type: EXCHANGE, ...subject, resource: kind.uri };
  while (!load.over) {
    const from = performance.now();
    const { status, body } = await post(server, authorization, form);
    tally.slowest = Math.max(tally.slowest, performance.now() - from);
    if (status === 200 && body.access_token === upstream.newest(connection)) tally.vended += 1;
    else {
      tally.failed += 1;
      tally.firstFailure ??= `${kind.name}: ${status} ${JSON.stringify(body).slice(0, 300)}`;
    }
    tally.refreshes = upstream.generation(connection) - 1;
  }
}

function total({ vendings }) {
  const sum = (member) => vendings.reduce((all, { tally }) => all + tally[member], 0);
  return {
    vended: sum('vended'),
    failed: sum('failed'),
    refreshes: sum('refreshes'),
    slowest: Math.max(...vendings.map(({ tally }) => tally.slowest)),
    firstFailure: vendings.find(({ tally }) => tally.firstFailure)?.tally.firstFailure,
  };
}

async function unopened(pool, encryption) {
  let failed = 0;
  let last = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await pool.query(
      'select id, user_id, provider_id, sealed_credential from connections where id > $1 order by id limit 5000',
      [last],
    );
    for (const { id, user_id, provider_id, sealed_credential } of rows)
      await encryption.open(sealed_credential, contextOf(user_id, provider_id, id)).catch(() => (failed += 1));
    if (rows.length === 0) return failed;
    last = rows.at(-1).id;
  }
}

/** Rotates with every refresh, and takes none but the newest refresh token. */
async function rotatingUpstream() {
  const generations = new Map();
  const upstream = {
    refused: 0,
    generation: (connection) => generations.get(connection) ?? 1,
    newest: (connection) => `access.${connection}.${upstream.generation(connection)}`,
  };
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk) => (text += chunk));
    request.on('end', () => {
      const [connection, presented] = (new URLSearchParams(text).get('refresh_token') ?? '').split('.');
      const right = Number(presented) === upstream.generation(connection);
      if (right) generations.set(connection, Number(presented) + 1);
      else upstream.refused += 1;
      response.writeHead(right ? 200 : 400, { 'content-type': 'application/json' });
      const answer = { access_token: upstream.newest(connection), token_type: 'Bearer', expires_in: 3600 };
      const renewed = { ...answer, refresh_token: `${connection}.${upstream.generation(connection)}` };
      response.end(JSON.stringify(right ? renewed : { error: 'invalid_grant' }));
    });
  });
  await new Promise((resolve) => server.listen(0, 'localhost', resolve));
  return Object.assign(upstream, {
    url: `http://localhost:${server.address().port}/token`,
    close: () => server.close(),
  });
}

const basic = ({ client_id: id, client_secret: secret }) =>
  `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString('base64')}`;

async function post({ issuer }, authorization, form) {
  const response = await fetch(`${issuer}/oauth/token`, {
    method: 'POST',
    headers: { authorization },
    body: new URLSearchParams(form),
  });
  return { status: response.status, body: await response.json() };
}

const upstream = await rotatingUpstream();
const server = await BuiltServer.prepare(
  { AUTHPLANE_TOKEN_EXCHANGE_ENABLED: 'true', MASTER: current, FORMER_MASTER: former },
  'data_encryption: { driver: aes_master, aes_master: { key_env: MASTER, old_key_env: FORMER_MASTER } }\n',
);
try {
  await measure(server, upstream);
} finally {
  await server.cleanUp();
  upstream.close();
}
