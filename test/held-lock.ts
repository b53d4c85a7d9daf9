import type { TestApp } from './app.js';
import { withClient } from '../src/platform/postgres/connection.js';

/**
 * Stops the server's statements at a known place: holds what `sql` locks until `meanwhile` is over.
 *
 * @param sql takes the lock, in a transaction of its own
 * @param work what will have to wait
 * @param meanwhile runs when `work` waits for the lock; it must not need it
 */
export async function whileHeld<T>(
  { connection, sql: query }: TestApp,
  sql: string,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
): Promise<T> {
  return withClient(connection, async (holder) => {
    await holder.query('begin');
    await holder.query(sql);
    let over = false;
    const working = work().finally(() => (over = true));
    for (let waiting = 0; waiting === 0;) {
      if (over) throw new Error('it was over without waiting for the lock');
      const rows = await query<{ waiting: number }>(
        `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
      );
      waiting = rows[0]?.waiting ?? 0;
    }
    await meanwhile();
    await holder.query('commit');
    return working;
  });
}
