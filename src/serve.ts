import { setFlagsFromString } from 'node:v8';
import { Logger } from '@nestjs/common';
import { startApplication, type Application } from './application.js';
import type { Config } from './config/config.js';
import { configWarnings } from './config/config-warnings.js';
import { ensureLocalSecrets } from './config/first-run.js';
import { unknownVariables } from './config/unknown-variables.js';
import { firstSteps } from './first-steps.js';
import { SystemClock } from './platform/clock/clock.js';
import { startEmbedded } from './platform/postgres/embedded-postgres.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { migrate } from './platform/postgres/migrate.js';
import { takeServeLock } from './platform/postgres/serve-lock.js';
import { JsonLogger } from './platform/telemetry/json-logger.js';

interface Storage {
  connection: PostgresConnection;
  stop(): Promise<void>;
}

/**
 * By how much the heap may grow before it is collected again. V8 would let it grow fourfold; requests that wait for the database die
 * in the old generation, so that this is what decides about resident memory (test/bench/first-light.mjs measures it).
 */
const HEAP_GROWTH_PERCENT = 40;

/** `authserver serve`: storage, schema, application; on SIGTERM or SIGINT the same backwards, and exit code 0. */
export async function serve(loaded: Config): Promise<void> {
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWTH_PERCENT}`);
  const { config, created } = ensureLocalSecrets(loaded);
  const logger = new JsonLogger(config.observability.logging);
  Logger.overrideLogger(logger);
  const log = new Logger('Serve');
  for (const warning of [...configWarnings(config), ...unknownVariables(config)]) log.warn(warning);

  const storage = await openStorage(config, log);
  const application = await startOn(storage, config, logger).catch(async (error: unknown) => {
    await storage.stop();
    throw error;
  });
  const { issuer, address, role } = config.server;
  const work = role === 'worker' ? `doing the jobs of ${issuer}` : `serving ${issuer} on ${address}`;
  log.log(`${work}, administration on ${config.admin.address}`);
  if (created) process.stdout.write(firstSteps(config));

  let stopping = false;
  const stop = async (signal: string): Promise<void> => {
    // Ctrl-C under npm arrives twice, from the terminal and from npm: the second must not cut the first one short.
    if (stopping) return;
    stopping = true;
    log.log(`${signal}: finishing what is in flight`);
    await application.close();
    await storage.stop();
    process.exit(0);
  };
  process.on('SIGTERM', (signal) => void stop(signal));
  process.on('SIGINT', (signal) => void stop(signal));
}

async function startOn({ connection }: Storage, config: Config, logger: JsonLogger): Promise<Application> {
  await migrate(connection, new SystemClock().now());
  return startApplication({ config, connection }, logger);
}

/**
 * The database, started here if it is the embedded one. Without Redis, limits count per process and nonces come from one secret: a second
 * server on the same embedded database refuses to boot (P4). Whoever holds the lock stops the database; a second server leaves it alone.
 */
async function openStorage(config: Config, log: Logger): Promise<Storage> {
  const { driver, embedded, postgres } = config.storage;
  if (driver === 'postgres') return { connection: { dsn: postgres.dsn ?? '' }, stop: async () => undefined };
  const { connection, stop } = await startEmbedded({ path: embedded.path, log: (message) => log.log(message) });
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
