import type pg from 'pg';
import { withClient } from '../src/platform/postgres/connection.js';
import type { TestApp } from './app.js';

/** Comes back when so many sessions wait for what is held. */
export type UntilWaiting = (count: number) => Promise<void>;

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
  meanwhile: (untilWaiting: UntilWaiting) => Promise<unknown>,
): Promise<T> {
  return withClient(app.connection, async (holder) => {
    await holder.query('begin');
    await holder.query(sql);
    let over = false;
    const working = work().finally(() => (over = true));
    await untilWaitingFor(holder, 1, () => over);
    await meanwhile((count) => untilWaitingFor(holder, count));
    await holder.query('commit');
    return working;
  });
}

/** A server's jobs wait for one another's locks now and then: only who stands behind the holder is meant, at first or second hand. */
const WAITING = `
  with recursive blocked as materialized (
    select pid, pg_blocking_pids(pid) as blockers from (select distinct pid from pg_locks where not granted) as waiting
  ), behind as (
    select pid from blocked where pg_backend_pid() = any(blockers)
    union
    select blocked.pid from blocked join behind on behind.pid = any(blocked.blockers)
  )
  select count(*)::int as waiting from behind`;

/**
 * Comes back when `count` sessions wait for what `holder` has locked. It asks itself: another connection for each look would take so long on
 * a busy machine that the server gives up waiting.
 *
 * @param isOver whether nobody will, any more
 */
export async function untilWaitingFor(
  holder: pg.ClientBase,
  count: number,
  isOver = (): boolean => false,
): Promise<void> {
  for (let waiting = 0; waiting < count;) {
    if (isOver()) throw new Error('it was over without waiting for the lock');
    const { rows } = await holder.query<{ waiting: number }>(WAITING);
    waiting = rows[0]?.waiting ?? 0;
  }
}

/**
 * Comes back when a statement that contains `part` waits for another's lock, whoever that is.
 *
 * @param sql asks the database in which it will wait
 */
export async function untilBlocked(sql: (text: string, values: string[]) => Promise<unknown[]>, part: string) {
  const waiting = `select from pg_stat_activity
    where datname = current_database() and wait_event_type = 'Lock' and strpos(query, $1) > 0`;
  while ((await sql(waiting, [part])).length === 0);
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
