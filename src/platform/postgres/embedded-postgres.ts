import { chownSync, mkdtempSync, existsSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { withClient } from './connection.js';
import { isDatabaseAway, sqlState } from './database-away.js';
import { findBinaries } from './embedded-binaries.js';
import { initCluster } from './embedded-cluster.js';
import { launch, type Launch } from './embedded-launch.js';
import { chooseRunner, type EmbeddedHow, type EmbeddedRunner } from './embedded-runner.js';
import { disownStalePidFile, isServerOf, readPostmaster, type Postmaster } from './postmaster.js';

export interface EmbeddedConnection {
  /** The directory of the unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

export interface EmbeddedPostgres {
  readonly connection: EmbeddedConnection;
  /** It ran already, left over from a process that was killed, or because another server uses it (see `takeServeLock`). */
  readonly adopted: boolean;
  readonly how: EmbeddedHow;
  /** Ends the server after its statements are committed or rolled back. Not to be called on another's. */
  stop(): Promise<void>;
}

export interface EmbeddedOptions {
  /** The data directory, made when missing. Its neighbour `<path>.log` is the server's log. */
  readonly path: string;
  readonly log: (message: string) => void;
  /** Settings of PostgreSQL, such as `fsync: 'off'` in tests. */
  readonly settings?: Readonly<Record<string, string>>;
}

const READY_WITHIN_MILLIS = 30_000;
const POLL_MILLIS = 10;
/** Longest socket path that every platform takes, less the name of the file in the directory. */
const MAX_SOCKET_DIRECTORY = 103 - '/.s.PGSQL.5432'.length;
const DATABASE = 'authplane';

/**
 * Starts PostgreSQL on a data directory or adopts the one that runs there, and waits until it takes connections. It listens on a
 * unix socket in a directory of mode 0700 only. It outlives this process: a kill -9 of ours loses nothing that was acknowledged.
 *
 * @throws Error with the tail of its log when it does not start within 30 seconds, or with the commands that move the data when
 *   another major version wrote them
 */
export async function startEmbedded({ path, log, settings = {} }: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const binaries = findBinaries();
  const absolute = resolve(path);
  const runner = chooseRunner(absolute, binaries);
  initCluster(runner, binaries, log);
  const before = readPostmaster(runner.dir);
  const postmaster = await untilReady(runner, `${absolute}.log`, settings);
  const adopted = before?.pid === postmaster.pid;
  const how = `${runner.how}, process ${postmaster.pid}`;
  log(`embedded PostgreSQL ${adopted ? 'adopted' : 'started'} on ${runner.dir} (${how})`);
  return { connection: connectionOf(postmaster), adopted, how: runner.how, stop: () => stop(runner.dir) };
}

/**
 * The connection to the server that runs on a data directory, for the command line: starts nothing, owns nothing.
 *
 * @returns undefined when none runs there
 */
export function connectionOfRunning(path: string): EmbeddedConnection | undefined {
  const postmaster = existsSync(join(path, 'PG_VERSION')) ? readPostmaster(resolve(path)) : undefined;
  return postmaster?.ready ? connectionOf(postmaster) : undefined;
}

const connectionOf = ({ socketDirectory, port }: Postmaster): EmbeddedConnection => ({
  host: socketDirectory,
  port,
  user: 'authplane',
  database: DATABASE,
});

/** Starts what does not run, and waits for an answer: a server that is just dying looks alive until it is asked. */
async function untilReady(
  runner: EmbeddedRunner,
  logFile: string,
  settings: Readonly<Record<string, string>>,
): Promise<Postmaster> {
  const deadline = performance.now() + READY_WITHIN_MILLIS;
  let child: Launch | undefined;
  while (performance.now() < deadline) {
    const running = readPostmaster(runner.dir);
    if (running?.ready && (await hasDatabase(connectionOf(running)))) return running;
    if (!running && (!child || child.exited())) {
      // Backends of a killed postmaster hold the shared memory for a moment; everything else is final.
      if (child && !child.logTail().includes('shared memory block')) break;
      disownStalePidFile(runner.dir);
      if (child) await sleep(200);
      child = launch(runner, logFile, { ...settings, unix_socket_directories: chooseSocketDirectory(runner) });
    }
    await sleep(POLL_MILLIS);
  }
  const tail = child?.logTail() ?? readFileSync(logFile, 'utf8').slice(-2_000);
  throw new Error(`the embedded PostgreSQL on ${runner.dir} does not start; the end of ${logFile} says:\n${tail}`);
}

/** The data directory itself, which is 0700, unless that makes the socket's path too long. */
function chooseSocketDirectory({ dir, owner }: EmbeddedRunner): string {
  if (dir.length <= MAX_SOCKET_DIRECTORY) return dir;
  const short = mkdtempSync(join(tmpdir(), 'authplane-'));
  if (owner) chownSync(short, owner.uid, owner.gid);
  return short;
}

/**
 * Makes our database when it is missing.
 *
 * @returns false when the server is away
 */
async function hasDatabase(connection: EmbeddedConnection): Promise<boolean> {
  try {
    await withClient({ ...connection, database: 'postgres' }, async (client) => {
      const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE]);
      if (rowCount === 0) await client.query(`create database ${DATABASE}`);
    });
    return true;
  } catch (error) {
    if (isDatabaseAway(error)) return false;
    if (/^(?:42P04|23505)$/.test(sqlState(error) ?? '')) return true; // somebody else was quicker
    throw error;
  }
}

async function stop(dir: string): Promise<void> {
  const postmaster = readPostmaster(dir);
  if (!postmaster) return;
  process.kill(postmaster.pid, 'SIGINT'); // "fast": no new connections, open transactions are rolled back
  const deadline = performance.now() + READY_WITHIN_MILLIS;
  let urged = false;
  while (isServerOf(postmaster.pid, dir)) {
    if (!urged && performance.now() > deadline) {
      process.kill(postmaster.pid, 'SIGQUIT'); // "immediate": as after a crash, which it survives
      urged = true;
    }
    await sleep(POLL_MILLIS);
  }
  if (postmaster.socketDirectory !== dir) removeIfEmpty(postmaster.socketDirectory);
}

function removeIfEmpty(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // not ours, or in use again
  }
}
