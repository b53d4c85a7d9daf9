import type { Config } from './config/config.js';
import { SystemClock } from './platform/clock/clock.js';
import type { PostgresConnection } from './platform/postgres/connection.js';
import { withClient } from './platform/postgres/connection.js';
import { connectionOfRunning, startEmbedded } from './platform/postgres/embedded-postgres.js';
import { uuid7 } from './platform/uuid7.js';
import { migrate } from './platform/postgres/migrate.js';
import { sweep, type Run } from './platform/retention/expired-rows.js';

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

/**
 * `authserver purge`: what the regular sweep does, now, for a database whose servers are stopped or to free more than the settings do.
 *
 * @param keepDays how long codes, issuances and audit events are kept; undefined: as the settings say
 */
export async function purge(config: Config, keepDays?: number): Promise<void> {
  if (keepDays !== undefined && (!Number.isInteger(keepDays) || keepDays < 1))
    throw new Error('--keep-days takes a whole number of days, 1 or more');
  const kept =
    keepDays === undefined ? config.retention : { issuanceDays: keepDays, auditDays: keepDays, refusalDays: keepDays };
  const now = new SystemClock().now();
  await withStorage(config, (connection) =>
    withClient(connection, async (client) => {
      const run: Run = async (text, values) => (await client.query(text, values as unknown[])).rows;
      const { rows, dropped, busy } = await sweep(run, now, kept);
      for (const [table, count] of Object.entries(rows)) console.log(`${table}: ${count} rows`);
      console.log(`dropped ${dropped.length} daily partitions`);
      if (busy.length > 0) console.log(`in use, try again later: ${busy.join(', ')}`);
    }),
  );
}

/** The database of the configuration: the running embedded one is borrowed, one that does not run is started for the while. */
export async function withStorage<T>(config: Config, work: (connection: PostgresConnection) => Promise<T>): Promise<T> {
  const { driver, embedded, postgres } = config.storage;
  if (driver === 'postgres') return work({ dsn: postgres.dsn ?? '' });
  const running = connectionOfRunning(embedded.path);
  if (running) return work(running);
  const database = await startEmbedded({ path: embedded.path, log: () => undefined });
  try {
    return await work(database.connection);
  } finally {
    await database.stop();
  }
}
