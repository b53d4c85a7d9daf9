import { runMigrations as migrateQueue } from 'bullmq';
import { DataSource } from 'typeorm';
import { clientConfig, withClient, type PostgresConnection } from './connection.js';
import { migrations } from './migrations.js';
import { ensurePartitions } from './partitions.js';
import { queueSchema } from './queue-schema.js';

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
    extra: clientConfig(connection),
  });
  await source.initialize();
  const lock = source.createQueryRunner(); // its session holds the lock; the migrations run on another one
  try {
    await lock.query(`select pg_advisory_lock(hashtext('authplane'), hashtext('migrations'))`);
    const done = await source.runMigrations({ transaction: 'each' });
    await withClient(connection, (client) => migrateQueue(client, queueSchema));
    await ensurePartitions((text) => source.query(text), now);
    return done.map((migration) => migration.name);
  } finally {
    await lock.query('select pg_advisory_unlock_all()').catch(() => {}); // ends with the session in any case
    await lock.release();
    await source.destroy();
  }
}

/** The names of all migrations of this version, in their order. */
export const migrationNames = (): string[] => migrations.map((Migration) => new Migration().name);
