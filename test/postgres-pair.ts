import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { findBinaries } from '../src/platform/postgres/embedded-binaries.js';
import { initCluster } from '../src/platform/postgres/embedded-cluster.js';
import { launch } from '../src/platform/postgres/embedded-launch.js';
import { chooseRunner } from '../src/platform/postgres/embedded-runner.js';
import { migrate } from '../src/platform/postgres/migrate.js';
import { temporaryDirectory } from './postgres.js';
import { freePort } from './free-port.js';
import { until } from './until.js';

/** One server of a pair, on a port of the loopback interface. */
export interface PairedPostgres {
  readonly port: number;
  /** As an operator's connection string. */
  readonly dsn: string;
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  /** As an operator shuts it down: sessions are told (57P01). */
  stop(): Promise<void>;
  /** All of its processes at once, without a word. */
  kill(): Promise<void>;
  /** It accepts connections still, and answers nothing. */
  freeze(): void;
  thaw(): void;
  start(): Promise<void>;
}

/** A primary, and a standby without which it acknowledges nothing; migrated. */
export interface PostgresPair {
  readonly primary: PairedPostgres;
  readonly standby: PairedPostgres;
  /** Both, as libpq spells it. */
  readonly dsn: string;
  /** Makes the standby the one that can be written to. What becomes of the primary is up to the caller. */
  promote(): Promise<void>;
  stop(): Promise<void>;
}

const SETTINGS = { fsync: 'off', wal_level: 'replica', max_wal_senders: '4', max_connections: '200' };
const USER = 'authplane';

/** @param synchronous whether a commit waits for the standby */
export async function startPostgresPair({ synchronous = true } = {}): Promise<PostgresPair> {
  const { path, remove } = temporaryDirectory();
  const primary = new Server(join(path, 'primary'), await freePort());
  await primary.start();
  await primary.sql('create database authplane', [], 'postgres');
  await migrate({ dsn: primary.dsn }, new Date());
  const standby = new Server(join(path, 'standby'), await freePort());
  await primary.copyTo(standby);
  await standby.start();
  if (synchronous) {
    await primary.sql(`alter system set synchronous_standby_names = '*'`);
    await primary.sql('select pg_reload_conf()');
  }
  const state = () => primary.sql('select sync_state from pg_stat_replication');
  await until('the standby is attached', state, [{ sync_state: synchronous ? 'sync' : 'async' }]);
  const hosts = [primary, standby].map(({ port }) => `127.0.0.1:${port}`).join(',');
  return {
    primary,
    standby,
    dsn: `postgres://${USER}@${hosts}/authplane?target_session_attrs=read-write`,
    promote: async () => {
      await standby.sql('select pg_promote(true)');
    },
    stop: async () => {
      for (const server of [standby, primary]) {
        server.thaw();
        await server.kill();
      }
      remove();
    },
  };
}

class Server implements PairedPostgres {
  #conninfo: string | undefined;

  constructor(
    private readonly path: string,
    readonly port: number,
  ) {}

  get dsn(): string {
    return `postgres://${USER}@127.0.0.1:${this.port}/authplane`;
  }

  async start(): Promise<void> {
    const binaries = findBinaries();
    const runner = chooseRunner(this.path, binaries);
    initCluster(runner, binaries, () => {});
    launch(runner, `${this.path}.log`, {
      ...SETTINGS,
      listen_addresses: '127.0.0.1',
      port: `${this.port}`,
      unix_socket_directories: '',
      ...(this.#conninfo ? { primary_conninfo: this.#conninfo } : {}),
    });
    const answers = () => this.sql('select 1 as one', [], 'postgres');
    await until('the server answers', answers, [{ one: 1 }]);
  }

  /** On a connection as the driver makes it, to a standby too. */
  async sql<Row = Record<string, unknown>>(
    text: string,
    values: unknown[] = [],
    database = 'authplane',
  ): Promise<Row[]> {
    const client = new pg.Client({ host: '127.0.0.1', port: this.port, user: USER, database, ssl: false });
    client.on('error', () => {});
    await client.connect();
    return client.query(text, values).then(
      async ({ rows }) => {
        await client.end();
        return rows as Row[];
      },
      async (error: unknown) => {
        await client.end();
        throw error;
      },
    );
  }

  /** The embedded package brings no pg_basebackup: the files are copied between the start and the end of a backup. */
  async copyTo(copy: Server): Promise<void> {
    const client = new pg.Client({ connectionString: this.dsn, ssl: false });
    await client.connect();
    await client.query(`select pg_backup_start('standby', true)`);
    const copied = spawnSync('cp', ['-a', this.path, copy.path]);
    if (copied.status !== 0) throw new Error(`the data directory was not copied: ${String(copied.stderr)}`);
    const { rows } = await client.query('select labelfile from pg_backup_stop()');
    await client.end();
    for (const leftover of ['postmaster.pid', 'postmaster.opts']) rmSync(join(copy.path, leftover), { force: true });
    rmSync(join(copy.path, 'pg_wal'), { recursive: true });
    mkdirSync(join(copy.path, 'pg_wal', 'archive_status'), { recursive: true });
    mkdirSync(join(copy.path, 'pg_wal', 'summaries'), { recursive: true });
    writeFileSync(join(copy.path, 'backup_label'), (rows[0] as { labelfile: string }).labelfile);
    writeFileSync(join(copy.path, 'standby.signal'), '');
    // As root the server runs as another user.
    spawnSync('chown', ['-R', `--reference=${this.path}`, copy.path]);
    spawnSync('chmod', ['-R', 'u=rwX,go=', copy.path]);
    copy.#conninfo = `host=127.0.0.1 port=${this.port} user=${USER} application_name=standby`;
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT', (postmaster) => [postmaster]);
  }

  async kill(): Promise<void> {
    await this.#end('SIGKILL', family);
  }

  async #end(signal: NodeJS.Signals, whom: (postmaster: number) => number[]): Promise<void> {
    const postmaster = this.#postmaster();
    if (postmaster === undefined) return;
    const all = family(postmaster);
    this.#signal(whom(postmaster), signal);
    await until('its processes end', () => all.filter(isRunning), []);
  }

  freeze(): void {
    const postmaster = this.#postmaster();
    // The parent first, or it would make new children meanwhile.
    if (postmaster !== undefined) this.#signal([postmaster, ...family(postmaster)], 'SIGSTOP');
  }

  thaw(): void {
    const postmaster = this.#postmaster();
    if (postmaster !== undefined) this.#signal(family(postmaster), 'SIGCONT');
  }

  #postmaster(): number | undefined {
    const file = join(this.path, 'postmaster.pid');
    const pid = existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : undefined;
    return pid !== undefined && isRunning(pid) ? pid : undefined;
  }

  #signal(processes: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of processes) {
      try {
        process.kill(pid, signal);
      } catch {
        // it has ended by itself
      }
    }
  }
}

/** A process and its children. Each backend has a group of its own, so that no single signal reaches them all. */
function family(parent: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => statOf(Number(name))?.parent === parent)
    .map(Number);
  return [parent, ...children];
}

const isRunning = (pid: number): boolean => ![undefined, 'Z', 'X'].includes(statOf(pid)?.state);

function statOf(pid: number): { state: string; parent: number } | undefined {
  try {
    const [state = '', parent] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return { state, parent: Number(parent) };
  } catch {
    return undefined;
  }
}
