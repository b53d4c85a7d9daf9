import { setTimeout as pause } from 'node:timers/promises';
import { runMigrations as migrateQueue } from 'bullmq';
import type pg from 'pg';
import { DataSource, MigrationExecutor, type QueryRunner } from 'typeorm';
import { clientConfig, withClient, type PostgresConnection } from './connection.js';
import { sqlState } from './database-away.js';
import { migrations } from './migrations.js';
import { ensurePartitions } from './partitions.js';
import { queueSchema } from './queue-schema.js';

/** How long others may have to wait behind a migration that waits for a table, and how long they are left alone then. */
const LOCK_MILLIS = 500;
const PAUSE_MILLIS = 1_500;
const PATIENCE_MILLIS = 10 * 60_000;
/** How often it is asked whether another replica has done. */
const ASK_MILLIS = 200;
const LOCK_NOT_AVAILABLE = '55P03';

/**
 * Brings the schema up to date and makes partitions ahead. Replicas may start together: one migrates, the others wait for it and
 * find nothing to do.
 *
 * @param count how many of all migrations there shall be, for rows of an older schema; undefined: all
 * @returns the names of the migrations that ran
 */
export async function migrate(connection: PostgresConnection, now: Date, count?: number): Promise<string[]> {
  const source = new DataSource({
    type: 'postgres',
    migrations: migrations.slice(0, count),
    logging: false,
    extra: { ...clientConfig(connection), onConnect: beImpatient },
  });
  await source.initialize();
  const lock = source.createQueryRunner(); // its session holds the lock; the migrations run on another one
  try {
    await taken(lock);
    const pending = await new MigrationExecutor(source).getPendingMigrations();
    await whenFree(lock, () => source.runMigrations({ transaction: 'each' }));
    await withClient(connection, (client) => migrateQueue(client, queueSchema));
    await ensurePartitions((text) => source.query(text), now);
    return pending.map(({ name }) => name);
  } finally {
    await given(lock).catch(() => {}); // ends with the session in any case
    await lock.release();
    await source.destroy();
  }
}

/** Asked for again and again: an index that is made concurrently would wait for whoever waits for it inside a statement. */
async function taken(lock: QueryRunner): Promise<void> {
  const take = `select pg_try_advisory_lock(hashtext('authplane'), hashtext('migrations')) as taken`;
  while (!((await lock.query(take)) as { taken: boolean }[])[0]?.taken) await pause(ASK_MILLIS);
}

const given = (lock: QueryRunner): Promise<unknown> => lock.query('select pg_advisory_unlock_all()');

/**
 * Who changes a table waits for its readers, and everybody else then waits behind: a long read, such as a backup's, would keep all servers
 * from answering for as long as it lasts.
 */
async function beImpatient(client: pg.ClientBase): Promise<void> {
  await client.query(`set lock_timeout = ${LOCK_MILLIS}`);
}

/**
 * Tries again while somebody uses a table that is to be changed. Each migration is one transaction: what ran, ran. The lock is given back
 * meanwhile: a process of 0.1.0 that starts waits for it inside a statement, and we would wait for each other.
 */
async function whenFree(lock: QueryRunner, run: () => Promise<unknown>): Promise<void> {
  const until = performance.now() + PATIENCE_MILLIS;
  for (;;) {
    try {
      await run();
      return;
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error;
      if (performance.now() > until)
        throw new Error('a table that is to be changed is in use (a backup, a long read?): try again later', {
          cause: error,
        });
      await given(lock);
      await pause(PAUSE_MILLIS);
      await taken(lock);
    }
  }
}

/** The names of all migrations of this version, in their order. */
export const migrationNames = (): string[] => migrations.map((Migration) => new Migration().name);
