/**
 * Re-encryption while the server and its neighbours go on, measured on the built server with its embedded database:
 *
 *   node test/bench/re-encryption.mjs [rows]      (after `npm run build`; 100,000 rows unless told otherwise)
 *
 * The rows are credentials sealed by the former master key. While the server moves them to the new one, this process does what vends and
 * refreshes do: it reads a row and opens it, and puts a newer credential in its place where the version is still the one it read. Exit code
 * 1 when one did not open, one was lost, or one is left. The load comes from this process, on the same processors.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { AesMaster } from '../../dist/src/encryption/aes-master.js';
import { connectionOfRunning } from '../../dist/src/platform/postgres/embedded-postgres.js';
import { uuid7 } from '../../dist/src/platform/uuid7.js';

const ROWS = Number(process.argv[2] ?? 100_000);
const READERS = 4;
const WRITERS = 2;
const former = 'ab'.repeat(32);
const current = 'cd'.repeat(32);
const providerId = randomUUID();
const adminKey = 'bench-admin-key-0123456789abcdef';

const home = mkdtempSync(join(tmpdir(), 'authplane-bench-'));
chmodSync(home, 0o711); // started as root, the database runs as another user, who must get through
const [publicPort, adminPort] = [await freePort(), await freePort()];
let server;

async function measure() {
  console.log(`Node ${process.versions.node}, ${cpus().length} processors, load ${loadavg()[0].toFixed(1)}`);
  await start();
  const pool = new pg.Pool({ ...connectionOfRunning(join(home, 'data/postgres')), max: READERS + WRITERS });
  const ids = await plant(pool);
  console.log(`${ROWS} connections planted`);

  const tally = { opened: 0, replaced: 0, overtaken: 0, failed: 0, slowest: 0 };
  let over = false;
  const opener = new AesMaster(current, former);
  const lanes = [
    ...Array.from({ length: READERS }, () => read(pool, ids, opener, tally, () => over)),
    ...Array.from({ length: WRITERS }, () => write(pool, ids, opener, tally, () => over)),
  ];
  const startedAt = performance.now();
  await admin('POST', '/admin/encryption/reencryption');
  let record;
  do {
    await sleep(250);
    record = await admin('GET', '/admin/encryption/reencryption');
  } while (record.state !== 'finished' && record.last_error === undefined);
  const seconds = (performance.now() - startedAt) / 1000;
  over = true;
  await Promise.all(lanes);

  const { moved } = record.columns.find(({ column }) => column === 'connections.sealed_credential');
  const left = await unopened(pool, new AesMaster(current));
  await pool.end();
  console.log(`${moved} values moved in ${seconds.toFixed(1)} s, ${Math.round(moved / seconds)} per second`);
  console.log(
    `meanwhile ${tally.opened} opened, ${tally.replaced} replaced, ${tally.overtaken} overtaken by another writer`,
  );
  console.log(`slowest read or write ${tally.slowest.toFixed(0)} ms; ${tally.failed} did not open`);
  console.log(`${left} do not open under the new key alone; ${record.last_error ?? 'finished'}`);
  if (tally.failed > 0 || left > 0 || record.state !== 'finished') process.exitCode = 1;
}

async function plant(pool) {
  const seal = new AesMaster(former);
  await pool.query(
    `insert into broker_providers (id, slug, protocol, config_data, created_at, updated_at) values ($1, 'bench', 'oauth', '{}', now(), now())`,
    [providerId],
  );
  const ids = [];
  for (let from = 0; from < ROWS; from += 1_000) {
    const rows = await Promise.all(
      Array.from({ length: Math.min(1_000, ROWS - from) }, async () => {
        const [id, user_id] = [uuid7(new Date()), randomUUID()];
        ids.push(id);
        const credential = JSON.stringify({ refreshToken: `ghr_${'x'.repeat(70)}`, id });
        return { id, user_id, sealed: await seal.seal(Buffer.from(credential), contextOf(user_id, id)) };
      }),
    );
    await pool.query(
      `insert into connections (id, user_id, provider_id, scopes, sealed_credential, created_at, updated_at)
       select id, user_id, $2, '{repo}', sealed, now(), now() from jsonb_to_recordset($1::jsonb) as r(id uuid, user_id uuid, sealed text)`,
      [JSON.stringify(rows), providerId],
    );
  }
  return ids;
}

const contextOf = (userId, id) => `connection-credential:${userId}/${providerId}/${id}`;

async function read(pool, ids, encryption, tally, isOver) {
  while (!isOver())
    await timed(tally, () => open(pool, ids[Math.floor(Math.random() * ids.length)], encryption, tally));
}

async function write(pool, ids, encryption, tally, isOver) {
  while (!isOver()) {
    const id = ids[Math.floor(Math.random() * ids.length)];
    await timed(tally, async () => {
      const row = await open(pool, id, encryption, tally);
      const newer = await encryption.seal(Buffer.from(`newer ${row.version}`), contextOf(row.user_id, id));
      const { rowCount } = await pool.query(
        'update connections set sealed_credential = $3, version = version + 1, updated_at = now() where id = $1 and version = $2',
        [id, row.version, newer],
      );
      if (rowCount === 1) tally.replaced += 1;
      else tally.overtaken += 1;
    });
  }
}

async function open(pool, id, encryption, tally) {
  const { rows } = await pool.query('select user_id, version, sealed_credential from connections where id = $1', [id]);
  try {
    await encryption.open(rows[0].sealed_credential, contextOf(rows[0].user_id, id));
    tally.opened += 1;
  } catch {
    tally.failed += 1;
  }
  return rows[0];
}

async function timed(tally, work) {
  const from = performance.now();
  await work();
  tally.slowest = Math.max(tally.slowest, performance.now() - from);
}

async function unopened(pool, encryption) {
  let failed = 0;
  let last = '00000000-0000-0000-0000-000000000000';
  for (;;) {
    const { rows } = await pool.query(
      'select id, user_id, sealed_credential from connections where id > $1 order by id limit 5000',
      [last],
    );
    for (const { id, user_id, sealed_credential } of rows)
      await encryption.open(sealed_credential, contextOf(user_id, id)).catch(() => (failed += 1));
    if (rows.length === 0) return failed;
    last = rows.at(-1).id;
  }
}

async function start() {
  const config = join(home, 'authplane.yaml');
  writeFileSync(
    config,
    'data_encryption: { driver: aes_master, aes_master: { key_env: MASTER, old_key_env: FORMER_MASTER } }\n',
  );
  server = spawn(process.execPath, [join(import.meta.dirname, '../../dist/src/main.js'), '--config', config, 'serve'], {
    cwd: home,
    env: {
      PATH: process.env.PATH,
      AUTHPLANE_SERVER_ISSUER: `http://localhost:${publicPort}`,
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${publicPort}`,
      AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      AUTHPLANE_ADMIN_API_KEY: adminKey,
      AUTHPLANE_SESSION_SECRET: 'bench-session-secret-0123456789abcdef',
      AUTHPLANE_DATA_DIR: join(home, 'data'),
      MASTER: current,
      FORMER_MASTER: former,
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve, reject) => {
    server.once('exit', (code) => reject(new Error(`the server ended with ${code}`)));
    createInterface({ input: server.stdout }).on('line', (line) => line.includes('"serving ') && resolve());
  });
}

async function admin(method, path) {
  const response = await fetch(`http://127.0.0.1:${adminPort}${path}`, {
    method,
    headers: { authorization: `Bearer ${adminKey}` },
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return response.json();
}

function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

try {
  await measure();
} finally {
  if (server?.exitCode === null) {
    const ended = new Promise((resolve) => server.once('exit', resolve));
    server.kill('SIGTERM');
    await ended;
  }
  rmSync(home, { recursive: true, force: true });
}
