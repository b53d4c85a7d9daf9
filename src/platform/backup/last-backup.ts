import { withClient, type PostgresConnection } from '../postgres/connection.js';

/**
 * Puts on record that there is a backup, for the metrics of whoever serves. Not in the policy epoch: nobody decides by it.
 *
 * @param at when it was begun: what came later is not in it
 * @returns false where the database does not let it; the backup is one all the same
 */
export function noteBackup(connection: PostgresConnection, at: string): Promise<boolean> {
  const noted = withClient(connection, (client) =>
    client.query(
      `insert into settings (key, value, updated_at) values ('last_backup', jsonb_build_object('at', $1::text), $1::timestamptz)
       on conflict (key) do update set value = excluded.value, updated_at = excluded.updated_at`,
      [at],
    ),
  );
  return noted.then(
    () => true,
    () => false,
  );
}
