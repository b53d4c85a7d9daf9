import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withClient } from '../../src/platform/postgres/connection.js';
import {
  connectionOfRunning,
  startEmbedded,
  type EmbeddedConnection,
  type EmbeddedPostgres,
} from '../../src/platform/postgres/embedded-postgres.js';
import { isServerOf, readPostmaster } from '../../src/platform/postgres/postmaster.js';
import { takeServeLock } from '../../src/platform/postgres/serve-lock.js';
import { temporaryDirectory } from '../postgres.js';

const original = temporaryDirectory();
let directory: ReturnType<typeof temporaryDirectory>;
let path: string;
let messages: string[] = [];

const start = (at = path): Promise<EmbeddedPostgres> => startEmbedded({ path: at, log: (line) => messages.push(line) });

async function ask<Row>(connection: EmbeddedConnection, sql: string): Promise<Row[]> {
  return withClient(connection, async (client) => (await client.query(sql)).rows as Row[]);
}

/** One cluster, made once; a test that does not look at the making gets a copy. */
beforeAll(async () => (await start(join(original.path, 'postgres'))).stop());
afterAll(() => original.remove());
const copyCluster = (): Buffer => execFileSync('cp', ['-a', join(original.path, 'postgres'), path]);

beforeEach(() => {
  directory = temporaryDirectory();
  path = join(directory.path, 'postgres');
  messages = [];
});
afterEach(async () => {
  if (existsSync(join(path, 'PG_VERSION')) && readPostmaster(path)) await (await start()).stop();
  if (existsSync(path)) rmSync(realpathSync(path), { recursive: true }); // for root it may lie elsewhere
  directory.remove();
});

describe('the embedded database', () => {
  it('is made on the first start, and keeps its data over stop and start', async () => {
    const first = await start();
    expect(first.adopted).toBe(false);
    await ask(first.connection, 'create table kept (n int); insert into kept values (1)');
    await first.stop();
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await ask(second.connection, 'select n, current_database() as name from kept')).toEqual([
      { n: 1, name: 'authplane' },
    ]);
    await second.stop();
  });

  it('listens on nothing but a socket in a directory that is closed to others, with durability on', async () => {
    copyCluster();
    const { connection } = await start();
    expect(
      await ask(
        connection,
        `select name, setting from pg_settings
      where name in ('listen_addresses', 'fsync', 'synchronous_commit', 'full_page_writes') order by name`,
      ),
    ).toEqual([
      { name: 'fsync', setting: 'on' },
      { name: 'full_page_writes', setting: 'on' },
      { name: 'listen_addresses', setting: '' },
      { name: 'synchronous_commit', setting: 'on' },
    ]);
    expect(statSync(connection.host).mode & 0o777).toBe(0o700);
  });

  it('really ends when it is stopped', async () => {
    copyCluster();
    const server = await start();
    const { pid } = readPostmaster(path)!;
    await server.stop();
    expect(isServerOf(pid, path)).toBe(false);
    expect(existsSync(join(path, 'postmaster.pid'))).toBe(false);
    expect(connectionOfRunning(path)).toBeUndefined();
    await server.stop();
  });

  it('writes no values of rows into its log', async () => {
    copyCluster();
    const { connection } = await start();
    await ask(connection, `create table people (email text unique); insert into people values ('ada@example.org')`);
    await expect(ask(connection, `insert into people values ('ada@example.org')`)).rejects.toMatchObject({
      code: '23505',
    });
    await expect(ask(connection, `select 'ada@example.org'::int`)).rejects.toMatchObject({ code: '22P02' });
    expect(readFileSync(`${path}.log`, 'utf8')).not.toContain('ada@');
    expect(statSync(`${path}.log`).mode & 0o777).toBe(0o600);
  });

  it('starts where the path is too long for a socket', async () => {
    const long = join(directory.path, 'x'.repeat(100), 'postgres');
    const server = await start(long);
    expect(server.connection.host.length).toBeLessThan(90);
    expect(connectionOfRunning(long)).toEqual(server.connection);
    expect(statSync(server.connection.host).mode & 0o777).toBe(0o700);
    await server.stop();
    expect(existsSync(server.connection.host)).toBe(false);
  });

  if (process.getuid?.() === 0) {
    it('starts for root below a directory that no other user may enter', async () => {
      chmodSync(directory.path, 0o700);
      const server = await start();
      expect(['unshare', 'copied']).toContain(server.how);
      expect(await ask(server.connection, 'select 1 as one')).toEqual([{ one: 1 }]);
      await server.stop();
      const again = await start();
      expect(again.how).toBe(server.how);
      await again.stop();
    });
  }

  it('leaves no half cluster: the draft of a process that died is thrown away', async () => {
    const dead = spawn(process.execPath, ['-e', '']);
    await once(dead, 'exit');
    mkdirSync(`${path}.new-${dead.pid}`);
    await start();
    expect(existsSync(`${path}.new-${dead.pid}`)).toBe(false);
  });

  it('refuses the data of another major version, with the commands that move it', async () => {
    copyCluster();
    const version = readFileSync(join(path, 'PG_VERSION'), 'utf8').trim();
    writeFileSync(join(path, 'PG_VERSION'), '17\n');
    const refusal = await start().catch((error: Error) => error.message);
    expect(refusal).toContain(`written by PostgreSQL 17; this version of the server brings PostgreSQL ${version}`);
    expect(refusal).toContain('pg_dump');
    expect(refusal).toContain('pg_restore');
  });

  it('says what its log says when it cannot start, at once', async () => {
    copyCluster();
    writeFileSync(join(path, 'postgresql.auto.conf'), 'no_such_setting = 1\n');
    await expect(start()).rejects.toThrow(/does not start[\s\S]*no_such_setting/);
  });
});

describe('a leftover postmaster.pid', () => {
  it('of a server that was killed does not stop the next one, which has everything', async () => {
    copyCluster();
    const first = await start();
    await ask(first.connection, 'create table kept (n int); insert into kept values (1)');
    process.kill(readPostmaster(path)!.pid, 'SIGKILL');
    const second = await start();
    expect(second.adopted).toBe(false);
    expect(await ask(second.connection, 'select n from kept')).toEqual([{ n: 1 }]);
  });

  it('whose process id belongs to another program by now neither stops the next one nor is that program touched', async () => {
    copyCluster();
    const stranger = spawn('sleep', ['60']);
    writeFileSync(
      join(path, 'postmaster.pid'),
      `${stranger.pid}\n${path}\n1700000000\n5432\n${path}\n\n  1 1\nready   \n`,
    );
    try {
      expect(connectionOfRunning(path)).toBeUndefined();
      const server = await start();
      expect(server.adopted).toBe(false);
      await server.stop();
      expect(stranger.exitCode ?? stranger.signalCode).toBe(null);
    } finally {
      stranger.kill();
    }
  });
});

describe('a server process', () => {
  const children: ChildProcess[] = [];
  afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));

  /** Resolves when the child has acknowledged `enough` rows. */
  async function insert(enough: number) {
    const child = spawn(process.execPath, [join(import.meta.dirname, 'inserting-server.mjs'), path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const lines = createInterface({ input: child.stdout! });
    const acknowledged: number[] = [];
    let state: { adopted: boolean; locked: boolean } | undefined;
    const ended = once(lines, 'close');
    await new Promise<void>((resolve, reject) => {
      lines.on('line', (line) => {
        if (state) acknowledged.push(Number(line));
        else state = JSON.parse(line);
        if (acknowledged.length >= enough) resolve();
      });
      child.once('exit', () => reject(new Error('the child ended by itself')));
    });
    return { child, state, acknowledged, ended };
  }

  it('that is killed in the middle of inserts leaves a database that the next one adopts, with every acknowledged row', async () => {
    copyCluster();
    const first = await insert(500);
    first.child.kill('SIGKILL');
    await first.ended; // what it printed before it died is read to the end
    const second = await insert(500);
    expect(first.state).toEqual({ adopted: false, locked: true });
    expect(second.state).toEqual({ adopted: true, locked: true });
    second.child.kill('SIGKILL');
    await second.ended;

    const { connection, adopted } = await start();
    expect(adopted).toBe(true);
    const there = new Set((await ask<{ n: number }>(connection, 'select n from inserted')).map((row) => row.n));
    expect([...first.acknowledged, ...second.acknowledged].filter((n) => !there.has(n))).toEqual([]);
  });

  it('that starts at the same moment as another makes the database once with it; one of them may serve', async () => {
    const states = (await Promise.all([insert(0), insert(0)])).map(({ state }) => state);
    expect(states.map((state) => state?.locked).toSorted()).toEqual([false, true]);
    expect(connectionOfRunning(path)).toBeDefined();
    expect(readdirSync(directory.path).toSorted()).toEqual(['postgres', 'postgres.log']);
  });

  it('refuses the lock to a second one, and gives it to the next when it is killed', async () => {
    copyCluster();
    const { child, ended } = await insert(1);
    const second = await start();
    expect(second.adopted).toBe(true);
    expect(await takeServeLock(second.connection)).toBeUndefined();
    child.kill('SIGKILL');
    await ended;
    const lock = await takeServeLock(second.connection);
    expect(lock?.held).toBe(true);
    await lock?.release();
  });

  it('lets the command line borrow the database, which owns nothing', async () => {
    copyCluster();
    const { connection, stop } = await start();
    const lock = await takeServeLock(connection);
    expect(connectionOfRunning(path)).toEqual(connection);
    await lock?.release();
    await stop();
    expect(connectionOfRunning(path)).toBeUndefined();
    expect(connectionOfRunning(join(directory.path, 'nowhere'))).toBeUndefined();
  });
});
