import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import yauzl from 'yauzl';
import yazl from 'yazl';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../../src/config/version.js';
import { backup } from '../../src/platform/backup/backup.js';
import { withClient } from '../../src/platform/postgres/connection.js';
import type { EmbeddedConnection } from '../../src/platform/postgres/embedded-postgres.js';
import { migrate, migrationNames } from '../../src/platform/postgres/migrate.js';
import {
  aConfidentialClient,
  aFlow,
  introspect,
  postForm,
  refresh,
  tokensOf,
  type ClientFixture,
  type Flow,
} from '../builders.js';
import { emptyDatabase, temporaryDirectory } from '../postgres.js';
import { freePort } from '../free-port.js';
import { serverMain, startServerProcess, type ServerProcess } from '../server-process.js';

const folder = temporaryDirectory();
const databases: Awaited<ReturnType<typeof emptyDatabase>>[] = [];
const aDatabase = async (): Promise<EmbeddedConnection> => {
  databases.push(await emptyDatabase());
  return databases.at(-1)!.connection;
};
const dsnOf = ({ host, port, user, database }: EmbeddedConnection): string =>
  `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;

const SECRETS = {
  AUTHPLANE_CLIENT_SECRET_PEPPER: 'a pepper of enough characters',
  AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
  AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER_KEY',
  MASTER_KEY: 'ab'.repeat(32),
};
const environment = (connection: EmbeddedConnection): Record<string, string> => ({
  AUTHPLANE_STORAGE_DRIVER: 'postgres',
  AUTHPLANE_STORAGE_POSTGRES_DSN: dsnOf(connection),
  AUTHPLANE_SIGNING_KEY_STORE: 'postgres_key',
  AUTHPLANE_RATE_LIMIT_ENABLED: 'false',
  ...SECRETS,
});

interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** `authserver …` in a process of its own, with the secrets of `startServerProcess`. */
async function authserver(
  connection: EmbeddedConnection,
  args: readonly string[],
  more: Record<string, string> = {},
): Promise<Outcome> {
  const env = {
    PATH: process.env.PATH,
    AUTHPLANE_SERVER_ISSUER: source.issuer,
    AUTHPLANE_SESSION_SECRET: 'process-session-secret-0123456789abcdef',
    ...environment(connection),
    ...more,
  };
  const run = promisify(execFile)(process.execPath, [serverMain, ...args], { env, cwd: folder.path });
  return run.then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }) => ({ code, stdout, stderr }),
  );
}

const count = (connection: EmbeddedConnection, query: string): Promise<number> =>
  withClient(connection, async (client) => Number((await client.query(query)).rows[0].n));

let origin: EmbeddedConnection;
let ports: { public: number; admin: number };
let source: ServerProcess;
let flow: Flow;
let kept: Awaited<ReturnType<typeof tokensOf>>['tokens'];
let revoked: typeof kept;
/** Of a client that gets no refresh tokens, taken back only after the backup. */
let takenBackLater: { token: string; client: ClientFixture };
let file: string;

beforeAll(async () => {
  origin = await aDatabase();
  ports = { public: await freePort(), admin: await freePort() };
  source = await startServerProcess({ dataDir: `${folder.path}/data`, ports, env: environment(origin) });
  flow = await aFlow(source);
  const client = await aConfidentialClient(source);
  flow = { ...flow, client };
  kept = (await tokensOf(flow)).tokens;
  revoked = (await tokensOf(flow)).tokens;
  await postForm(source, '/oauth/revoke', { token: revoked.refresh_token }, client);
  const withoutRefresh = await aConfidentialClient(source, { grant_types: ['authorization_code'] });
  const { tokens } = await tokensOf({ ...flow, client: withoutRefresh });
  expect(tokens.refresh_token).toBeUndefined();
  takenBackLater = { token: tokens.access_token, client: withoutRefresh };
  file = `${folder.path}/backup.zip`;
});
afterAll(async () => {
  await source.end('SIGTERM');
  for (const { drop } of databases) await drop();
  folder.remove();
});

/** A server on a restored database, in the place of the one that was. */
async function serving<T>(connection: EmbeddedConnection, work: (app: ServerProcess) => Promise<T>): Promise<T> {
  await source.end('SIGTERM');
  const app = await startServerProcess({ dataDir: `${folder.path}/restored`, ports, env: environment(connection) });
  try {
    return await work(app);
  } finally {
    await app.end('SIGTERM');
  }
}

/** The backup with some of its entries replaced, and hashes that fit if `sign` says so. */
async function forged(name: string, change: (entry: string, content: string) => string, sign = false): Promise<string> {
  const zip = await yauzl.openPromise(file, { autoClose: false });
  const contents = new Map<string, string>();
  for await (const entry of zip.eachEntry())
    contents.set(entry.fileName, await text(await zip.openReadStreamPromise(entry)));
  zip.close();
  const output = new yazl.ZipFile();
  for (const [entry, content] of contents) contents.set(entry, change(entry, content));
  if (sign) {
    const manifest = JSON.parse(contents.get('manifest.json')!);
    for (const table of manifest.tables)
      table.sha256 = createHash('sha256')
        .update(contents.get(`tables/${table.name}`)!)
        .digest('hex');
    contents.set('manifest.json', JSON.stringify(manifest));
  }
  for (const [entry, content] of contents) output.addBuffer(Buffer.from(content), entry);
  output.end();
  const path = `${folder.path}/${name}.zip`;
  await pipeline(output.outputStream, createWriteStream(path));
  return path;
}

/** What the metrics tell of it. */
const lastBackup = (): Promise<string | undefined> =>
  withClient(origin, async (client) => {
    const { rows } = await client.query<{ at: string }>(
      `select value ->> 'at' as at from settings where key = 'last_backup'`,
    );
    return rows[0]?.at;
  });

describe('a backup', () => {
  it('is one state of the database, made while tokens are issued, and readable by its owner alone', async () => {
    let done = false;
    const load = (async () => {
      for (let n = 0; !done && n < 200; n += 1) await tokensOf(flow);
    })();
    const { code, stdout, stderr } = await authserver(origin, ['backup', '--output', file]);
    done = true;
    await load;
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^http:\/\/localhost:\d+, 2.*: \d+ rows in \d+ tables\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);

    const checked = await authserver(origin, ['restore', '--check', '--input', file]);
    expect(checked.stdout).toContain('every row is there');
    expect(stdout).toContain(`, ${await lastBackup()}, by version`);
  });

  it('is not written over another, nor over a part of one', async () => {
    const whole = readFileSync(file);
    const again = await authserver(origin, ['backup', '--output', file]);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('is there already') });
    expect(readFileSync(file).equals(whole)).toBe(true);
    const before = await lastBackup();
    writeFileSync(`${folder.path}/other.zip.part`, 'another is writing this');
    const { code, stderr } = await authserver(origin, ['backup', '--output', `${folder.path}/other.zip`]);
    expect(code).toBe(1);
    expect(stderr).toContain('EEXIST');
    expect(readFileSync(`${folder.path}/other.zip.part`, 'utf8')).toBe('another is writing this');
    expect(await lastBackup()).toBe(before);
  });

  it('comes back whole: who signed in can again, and every token, code and session of before has ended', async () => {
    const target = await aDatabase();
    const { code, stdout, stderr } = await authserver(target, ['restore', '--input', file]);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('tokens, codes and sessions of before have ended');

    await serving(target, async (app) => {
      const there = { ...flow, app };
      expect((await introspect(app, kept.access_token, flow.client)).active).toBe(false);
      expect((await refresh(there, kept.refresh_token)).body.error).toBe('invalid_grant');
      const { token, client } = takenBackLater;
      expect((await introspect(app, token, client)).active).toBe(false);
      const { tokens } = await tokensOf(there);
      expect((await introspect(app, tokens.access_token, flow.client)).active).toBe(true);
    });
    const restored = await count(target, `select count(*) as n from audit_events where action = 'backup.restored'`);
    expect(restored).toBe(1);
    // One state: no token whose family, and no family whose consent, was committed after the state that is there.
    const orphans = `select count(*) as n from issuances i join clients on clients.id = i.client_id and 'refresh_token' = any(grant_types)
                     left join families f on f.id = i.family_id left join consents c on c.id = i.consent_id
                     where i.family_id is not null and (f.id is null or c.id is null)`;
    expect(await count(target, orphans)).toBe(0);
    const told = `select count(*) as n from outbox where topic = 'family-revocation' and payload->>'reason' = 'restored'`;
    expect(await count(target, told)).toBe(0);
    const inDefault = await count(target, 'select count(*) as n from only issuances_default');
    expect(inDefault).toBe(0);
  });

  it('brings tokens back too, where no server ran since it was made; what was revoked stays revoked', async () => {
    const target = await aDatabase();
    const { stdout } = await authserver(target, ['restore', '--input', file, '--keep-tokens']);
    expect(stdout).toContain('tokens and sessions are as they were');
    let waiting = '';
    await forged('same', (entry, content) => (entry === 'tables/outbox' ? (waiting = content) : content));
    // What was revoked before was told then.
    expect(await count(target, 'select count(*) as n from revocations')).toBeGreaterThan(0);
    expect(await count(target, 'select count(*) as n from outbox')).toBe(waiting.split('\n').length - 1);
    await serving(target, async (app) => {
      const there = { ...flow, app };
      expect((await introspect(app, kept.access_token, flow.client)).active).toBe(true);
      expect((await introspect(app, revoked.access_token, flow.client)).active).toBe(false);
      expect((await refresh(there, kept.refresh_token)).status).toBe(200);
      expect((await refresh(there, revoked.refresh_token)).body.error).toBe('invalid_grant');
    });
  });

  it('goes through a pipe, and says nothing there but itself', async () => {
    const piped = await promisify(execFile)(process.execPath, [serverMain, 'backup', '--output', '-'], {
      env: { PATH: process.env.PATH, AUTHPLANE_SERVER_ISSUER: source.issuer, ...environment(origin) },
      encoding: 'buffer',
      maxBuffer: 64 * 1024 * 1024,
      cwd: folder.path,
    });
    const path = `${folder.path}/piped.zip`;
    writeFileSync(path, piped.stdout);
    expect((await authserver(origin, ['restore', '--check', '--input', path])).stdout).toContain('every row is there');
  });

  it('of an older schema is restored under it and then migrated', async () => {
    const [older, target] = [await aDatabase(), await aDatabase()];
    const former = migrationNames().length - 2;
    await migrate(older, new Date(), former);
    const path = `${folder.path}/older.zip`;
    const manifest = await backup(older, createWriteStream(path), {
      version: '0.0.1',
      createdAt: new Date().toISOString(),
      issuer: source.issuer,
      secretMarks: {},
      keyStore: 'postgres_key',
    });
    expect(manifest.migrations).toHaveLength(former);
    expect((await authserver(target, ['restore', '--input', path])).code).toBe(0);
    const ran = `select count(*) as n from migrations`;
    expect(await count(target, ran)).toBe(migrationNames().length);
  });
});

describe('a backup is refused', () => {
  const refused = async (args: readonly string[], target: EmbeddedConnection, env = {}): Promise<string> => {
    const { code, stderr } = await authserver(target, ['restore', ...args], env);
    expect(code).toBe(1);
    return stderr;
  };

  it('where there is something already, which stays as it is', async () => {
    const before = await count(origin, 'select count(*) as n from clients');
    expect(await refused(['--input', file], origin)).toMatch(/the database is not empty, there is \w+/);
    expect(await count(origin, 'select count(*) as n from clients')).toBe(before);
  });

  it('where somebody was quicker: what came between looking and copying is not taken away', async () => {
    const target = await aDatabase();
    await withClient(target, async (quicker) => {
      const restoring = authserver(target, ['restore', '--input', file]);
      const there = `select to_regclass('users') is not null as yes`;
      while (!(await quicker.query(there)).rows[0].yes);
      await quicker.query('insert into users (id, created_at, updated_at) values (gen_random_uuid(), now(), now())');
      const { code, stderr } = await restoring;
      expect([code, stderr]).toEqual([1, expect.stringContaining('the database is not empty, there is users')]);
      expect((await quicker.query('select from users')).rows).toHaveLength(1);
    });
  });

  it('when it is not whole, and when its rows are not those it was made with; the database then takes the right one', async () => {
    const target = await aDatabase();
    const half = `${folder.path}/half.zip`;
    writeFileSync(half, readFileSync(file));
    truncateSync(half, Math.floor(statSync(half).size / 2));
    expect(await refused(['--input', half], target)).toContain('is not a backup, or not a whole one');

    const changed = await forged('changed', (entry, content) =>
      entry === 'tables/users' ? content.replace('@people.example', '@evil.example') : content,
    );
    expect(await refused(['--input', changed], target)).toContain(
      'the rows of users are not those that the backup was made with',
    );
    // Hashes that fit do not make rows fit: it fails in the middle, and leaves nothing.
    const broken = await forged(
      'broken',
      (entry, content) => (entry === 'tables/users' ? 'nonsense\n' : content),
      true,
    );
    expect(await refused(['--input', broken], target)).toContain('invalid input syntax');
    expect(await count(target, 'select count(*) as n from clients')).toBe(0);
    expect((await authserver(target, ['restore', '--input', file])).code).toBe(0);
  });

  it('when it names tables or columns that are none, which are never run as SQL', async () => {
    const target = await aDatabase();
    const evil = 'id") from stdin; drop table clients; --';
    const path = await forged('evil', (entry, content) => {
      if (entry !== 'manifest.json') return content;
      const manifest = JSON.parse(content);
      manifest.tables.find(({ name }: { name: string }) => name === 'users').columns[0] = evil;
      return JSON.stringify(manifest);
    });
    expect(await refused(['--input', path], target)).toContain('does not exist');
    expect(await count(target, `select count(*) as n from pg_class where relname = 'clients'`)).toBe(1);
  });

  it('when a later version made it, or something else', async () => {
    const target = await aDatabase();
    const later = await forged('later', (entry, content) => {
      if (entry !== 'manifest.json') return content;
      const manifest = JSON.parse(content);
      return JSON.stringify({ ...manifest, version: '9.0.0', migrations: [...manifest.migrations, 'Later0099'] });
    });
    expect(await refused(['--input', later], target)).toContain('made by version 9.0.0');
    const other = await forged('other-format', (entry, content) =>
      entry === 'manifest.json' ? '{"format":"something else"}' : content,
    );
    expect(await refused(['--input', other], target)).toContain('this is not a backup of the format');
    expect(version).not.toBe('9.0.0');
  });

  it('where a secret is another one, until the operator says so', async () => {
    const target = await aDatabase();
    const others = { AUTHPLANE_SESSION_SECRET: 'another-session-secret-0123456789abcdef', MASTER_KEY: 'cd'.repeat(32) };
    expect(await refused(['--input', file], target, others)).toContain(
      'another session.secret and another data_encryption.aes_master.key_env',
    );
    const former = { MASTER_KEY: 'cd'.repeat(32), OLD: 'ab'.repeat(32), AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV: 'OLD' };
    expect((await authserver(target, ['restore', '--input', file], former)).code).toBe(0);
    const another = await aDatabase();
    expect((await authserver(another, ['restore', '--input', file, '--allow-other-secrets'], others)).code).toBe(0);
  });
});
