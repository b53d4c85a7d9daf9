import { CLOCK_SKEW_MILLIS } from '../clock/clock-skew.js';
import type { RetentionSettings } from '../../config/server-settings.js';
import { dropPartitions, partitionedTables, type PartitionedTable } from '../postgres/partitions.js';

/** One statement, or several without values. @returns the rows */
export type Run = (text: string, values?: readonly unknown[]) => Promise<readonly unknown[]>;

export interface Swept {
  readonly rows: Readonly<Record<string, number>>;
  /** Names of daily partitions. */
  readonly dropped: readonly string[];
  /** Those that somebody's long read kept: the next sweep finds them. */
  readonly busy: readonly string[];
}

/** Rows that nothing can refer to any more. `$1` is now by the slowest clock. */
const EXPIRED = {
  sessions: 'expires_at < $1',
  client_secrets: 'expires_at < $1',
  families: 'least(expires_at, ends_at) < $1',
  replays: 'expires_at < $1',
  used_assertions: 'expires_at < $1',
  revocations: 'expires_at < $1',
  connect_flows: 'expires_at < $1',
} as const;

/** So few that a statement ends long before its time-out, and holds nobody up. */
const BATCH = 2_000;
const DAY_MILLIS = 86_400_000;

/**
 * Frees space, in small steps. Expiry is a comparison when reading, so that doing it late, twice or never changes no answer. Doing it early
 * would: by the clock of whoever sweeps it is later perhaps than by everybody else's.
 */
export async function sweep(run: Run, now: Date, { issuanceDays, auditDays }: RetentionSettings): Promise<Swept> {
  const keptDays = { authorization_codes: issuanceDays, issuances: issuanceDays, audit_events: auditDays };
  const before = new Date(now.getTime() - CLOCK_SKEW_MILLIS);
  const rows: Record<string, number> = {};
  for (const [table, condition] of Object.entries(EXPIRED))
    rows[table] = await deleteExpired(run, table, condition, before);
  const [dropped, busy]: [string[], string[]] = [[], []];
  for (const table of Object.keys(partitionedTables) as PartitionedTable[]) {
    if (keptDays[table] === 0) continue;
    const days = await dropPartitions(run, table, new Date(now.getTime() - keptDays[table] * DAY_MILLIS));
    dropped.push(...days.dropped);
    busy.push(...days.busy);
  }
  return { rows, dropped, busy };
}

async function deleteExpired(run: Run, table: string, condition: string, now: Date): Promise<number> {
  let deleted = 0;
  for (;;) {
    const gone = await run(
      `delete from ${table} where ctid = any (array(select ctid from ${table} where ${condition} limit ${BATCH} for update skip locked))
       returning 1`,
      [now],
    );
    deleted += gone.length;
    if (gone.length < BATCH) return deleted;
  }
}
