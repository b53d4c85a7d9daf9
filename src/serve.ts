import cluster from 'node:cluster';
import { isatty } from 'node:tty';
import { setFlagsFromString } from 'node:v8';
import { Logger } from '@nestjs/common';
import { startApplication, type Application } from './application.js';
import type { Config } from './config/config.js';
import { configWarnings } from './config/config-warnings.js';
import { ensureLocalSecrets } from './config/first-run.js';
import { unknownVariables } from './config/unknown-variables.js';
import { firstSteps } from './first-steps.js';
import { SystemClock } from './platform/clock/clock.js';
import { connectionOfRunning, startEmbedded } from './platform/postgres/embedded-postgres.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { migrate } from './platform/postgres/migrate.js';
import { takeServeLock } from './platform/postgres/serve-lock.js';
import type { JsonLogger } from './platform/telemetry/json-logger.js';
import { openLog } from './platform/telemetry/open-log.js';
import { Workers } from './workers.js';

interface Storage {
  connection: PostgresConnection;
  stop(): Promise<void>;
}

/**
 * By how much the heap may grow before it is collected again. V8 would let it grow fourfold; requests that wait for the database die
 * in the old generation, so that this is what decides about resident memory (test/bench/first-light.mjs measures it).
 */
const HEAP_GROWTH_PERCENT = 40;

const NOTHING_TO_RELOAD =
  'SIGHUP: nothing to reload, signing keys are read anew every five seconds, and other settings when the server starts';

/**
 * `authserver serve`: storage, schema, application; on SIGTERM or SIGINT the same backwards, and exit code 0. With `server.workers` this
 * process has storage and schema, and starts others that have the application: it comes back here in each of them.
 */
export async function serve(loaded: Config): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const { config, created } = ensureLocalSecrets(loaded);
  const { logger, close: closeLog } = await openLog(config);
  Logger.overrideLogger(logger);
  const log = new Logger('Serve');
  const place = placeOf(config);
  if (place !== 'worker')
    for (const warning of [...configWarnings(config), ...unknownVariables(config)]) log.warn(warning);

  const { storage, application } = await start(config, logger, log).catch(async (error: unknown) => {
    await closeLog();
    throw error;
  });
  if (place === 'worker') process.send?.('ready');
  else log.log(whatItDoes(config));
  if (created) process.stdout.write(firstSteps(config));

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    // Ctrl-C under npm arrives twice, from the terminal and from npm: the second must not cut the first one short.
    if (stopping) return;
    stopping = true;
    log.log(`${signal}: finishing what is in flight`);
    await application.close();
    await storage.stop();
    await closeLog();
    process.exit(0);
  };
  // A supervisor's SIGHUP asks to read anew what is on disk, and must end nothing. What runs at a terminal ends with it, as everything does.
  if (!isatty(0)) process.on('SIGHUP', () => log.log(NOTHING_TO_RELOAD));
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

function whatItDoes({ server: { issuer, address, role, workers }, admin }: Config): string {
  const work = role === 'worker' ? `doing the jobs of ${issuer}` : `serving ${issuer} on ${address}`;
  return `${work}, administration on ${admin.address}${workers > 1 ? `, with ${workers} workers` : ''}`;
}

function placeOf({ server: { workers } }: Config): 'alone' | 'primary' | 'worker' {
  if (workers === 1) return 'alone';
  return cluster.isWorker ? 'worker' : 'primary';
}

/** What fails leaves nothing open. */
async function start(
  config: Config,
  logger: JsonLogger,
  log: Logger,
): Promise<{ storage: Storage; application: Application }> {
  const place = placeOf(config);
  const storage = place === 'worker' ? storageOfPrimary(config) : await openStorage(config, log);
  const { connection } = storage;
  try {
    if (place !== 'worker') await migrate(connection, new SystemClock().now());
    const foundation = { config, connection };
    return {
      storage,
      application:
        place === 'primary' ? await Workers.start(config.server) : await startApplication(foundation, logger),
    };
  } catch (error) {
    await storage.stop();
    throw error;
  }
}

/** The database that the primary process of this one started, migrated, keeps the lock of and will stop (P4). */
function storageOfPrimary({ storage: { driver, embedded, postgres } }: Config): Storage {
  const connection = driver === 'postgres' ? { dsn: postgres.dsn ?? '' } : connectionOfRunning(embedded.path);
  if (!connection) throw new Error(`there is no database on ${embedded.path}`);
  return { connection, stop: async () => undefined };
}

/**
 * The database, started here if it is the embedded one. Without Redis, limits count per process and nonces come from one secret: a second
 * server on the same embedded database refuses to boot (P4). Whoever holds the lock stops the database; a second server leaves it alone.
 */
async function openStorage(config: Config, log: Logger): Promise<Storage> {
  const { driver, embedded, postgres } = config.storage;
  if (driver === 'postgres') return { connection: { dsn: postgres.dsn ?? '' }, stop: async () => undefined };
  const { connection, stop } = await startEmbedded({
    path: embedded.path,
    log: (message) => log.log(message),
    settings: { max_connections: String(connectionsOf(config)) },
  });
  const lock = await takeServeLock(connection);
  if (lock) {
    const release = async (): Promise<void> => {
      await lock.release();
      await stop();
    };
    return { connection, stop: release };
  }
  if (!config.redis.isSet)
    throw new Error(`another server is using ${embedded.path}: stop it first, or give both a redis.url`);
  return { connection, stop: async () => undefined };
}

/** PostgreSQL's own default, or what all workers could want. */
const connectionsOf = ({ server: { workers }, storage: { postgres } }: Config): number =>
  Math.max(100, workers * (postgres.maxConns + 10));
