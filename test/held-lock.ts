import { withClient } from '../src/platform/postgres/connection.js';
import type { TestApp } from './app.js';

/**
 * Stops the server's statements at a known place: holds what `sql` locks until `meanwhile` is over.
 *
 * @param sql takes the lock, in a transaction of its own
 * @param work what will have to wait
 * @param meanwhile runs when `work` waits for the lock; it must not need it
 */
export async function whileHeld<T>(
  app: TestApp,
  sql: string,
  work: () => Promise<T>,
  meanwhile: () => Promise<unknown>,
): Promise<T> {
  return withClient(app.connection, async (holder) => {
    await holder.query('begin');
    await holder.query(sql);
    let over = false;
    const working = work().finally(() => (over = true));
    await untilWaiting(app, 1, () => over);
    await meanwhile();
    await holder.query('commit');
    return working;
  });
}

/** Comes back when `count` sessions of the database wait for a lock. @param isOver whether nobody will, any more */
export async function untilWaiting({ sql }: TestApp, count: number, isOver = (): boolean => false): Promise<void> {
  for (let waiting = 0; waiting < count;) {
    if (isOver()) throw new Error('it was over without waiting for the lock');
    const rows = await sql<{ waiting: number }>(
      `select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`,
    );
    waiting = rows[0]?.waiting ?? 0;
  }
}

/** While a table has another name, whatever needs it fails. */
export async function without<T>({ sql }: TestApp, table: string, work: () => Promise<T>): Promise<T> {
  await sql(`alter table ${table} rename to ${table}_gone`);
  try {
    return await work();
  } finally {
    await sql(`alter table ${table}_gone rename to ${table}`);
  }
}
