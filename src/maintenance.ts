import type { Config } from './config/config.js';
import { SystemClock } from './platform/clock/clock.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { withClient } from './platform/postgres/connection.js';
import { connectionOfRunning, startEmbedded } from './platform/postgres/embedded-postgres.js';
import { uuid7 } from './platform/uuid7.js';
import { migrate } from './platform/postgres/migrate.js';
import { dropPartitions, partitionedTables, type PartitionedTable } from './platform/postgres/partitions.js';

/** `authserver migrate` */
export async function migrateOnly(config: Config): Promise<void> {
  await withStorage(config, async (connection) => {
    const ran = await migrate(connection, new SystemClock().now());
    console.log(ran.length === 0 ? 'the schema is up to date' : `ran ${ran.join(', ')}`);
  });
}

/**
 * `authserver forget-key`: for a signing key whose private half is lost, so that no server starts. It is revoked, which ends the tokens
 * it signed; the next start makes a new one.
 */
export async function forgetKey(config: Config, kid: string): Promise<void> {
  const now = new SystemClock().now();
  await withStorage(config, (connection) =>
    withClient(connection, async (client) => {
      const { rowCount } = await client.query(
        `with forgotten as (update signing_keys set revoked_at = $2 where kid = $1 and revoked_at is null returning kid),
              ended as (insert into revocations (kind, id, reason, at, expires_at)
                        select 'key', kid, 'key_lost', $2, $2::timestamptz + interval '400 days' from forgotten on conflict do nothing)
         insert into audit_events (id, action, detail, created_at)
         select $3, 'key.revoked', jsonb_build_object('kid', kid, 'by', 'forget-key'), $2 from forgotten`,
        [kid, now, uuid7(now)],
      );
      if (rowCount === 0) throw new Error(`there is no signing key ${kid}, or it is revoked already`);
      console.log(`${kid} is forgotten`);
    }),
  );
}

/** Rows that nothing can refer to any more. `$1` is now. */
const EXPIRED = {
  sessions: 'expires_at < $1',
  client_secrets: 'expires_at < $1',
  families: 'least(expires_at, ends_at) < $1',
  replays: 'expires_at < $1',
  used_assertions: 'expires_at < $1',
  revocations: 'expires_at < $1',
  connect_flows: 'expires_at < $1',
} as const;

/**
 * `authserver purge`: frees space. Expiry is a comparison when reading, so that running it late or never changes no answer.
 *
 * @param keepDays how long codes, issuances and audit events are kept
 */
export async function purge(config: Config, keepDays: number): Promise<void> {
  if (!Number.isInteger(keepDays) || keepDays < 1)
    throw new Error('--keep-days takes a whole number of days, 1 or more');
  const now = new SystemClock().now();
  await withStorage(config, (connection) =>
    withClient(connection, async (client) => {
      for (const [table, condition] of Object.entries(EXPIRED)) {
        const { rowCount } = await client.query(`delete from ${table} where ${condition}`, [now]);
        console.log(`${table}: ${rowCount ?? 0} rows`);
      }
      const before = new Date(now.getTime() - keepDays * 24 * 3600 * 1000);
      for (const table of Object.keys(partitionedTables) as PartitionedTable[]) {
        const run = async (text: string): Promise<unknown> => (await client.query(text)).rows;
        const { dropped, busy } = await dropPartitions(run, table, before);
        console.log(
          `${table}: ${dropped.length} days${busy.length > 0 ? `, ${busy.length} in use: try again later` : ''}`,
        );
      }
    }),
  );
}

/** The database of the configuration: the running embedded one is borrowed, one that does not run is started for the while. */
async function withStorage(config: Config, work: (connection: PostgresConnection) => Promise<void>): Promise<void> {
  const { driver, embedded, postgres } = config.storage;
  if (driver === 'postgres') return work({ dsn: postgres.dsn ?? '' });
  const running = connectionOfRunning(embedded.path);
  if (running) return work(running);
  const database = await startEmbedded({ path: embedded.path, log: () => undefined });
  try {
    await work(database.connection);
  } finally {
    await database.stop();
  }
}
