import { CLOCK_SKEW_MILLIS } from '../clock/clock-skew.js';
import type { RetentionSettings } from '../../config/server-settings.js';
import { dropPartitions, partitionedTables, type PartitionedTable } from '../postgres/partitions.js';
import { uuid7, uuid7Floor } from '../uuid7.js';

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
  webhook_deliveries: `coalesce(delivered_at, given_up_at) < $1::timestamptz - interval '30 days'`,
  kept_documents: `fetched_at < $1::timestamptz - interval '2 days'`,
} as const;

/** The audit event of a sweep that made the audit shorter: `events_before`, `refusals_before`. */
export const AUDIT_DROPPED = 'audit.dropped';

/** So few that a statement ends long before its time-out, and holds nobody up. */
const BATCH = 2_000;
const HOUR_MILLIS = 3_600_000;
const DAY_MILLIS = 24 * HOUR_MILLIS;

/** SQL: an audit event tells of a refusal, not of something that happened. */
export const IS_REFUSAL = `action ~ '[._](denied|failed)$'`;

/**
 * Frees space, in small steps. Expiry is a comparison when reading, so that doing it late, twice or never changes no answer. Doing it early
 * would: by the clock of whoever sweeps it is later perhaps than by everybody else's.
 */
export async function sweep(run: Run, now: Date, kept: RetentionSettings): Promise<Swept> {
  const { issuanceDays, auditDays, refusalDays } = kept;
  const keptDays = { authorization_codes: issuanceDays, issuances: issuanceDays, audit_events: auditDays };
  const before = new Date(now.getTime() - CLOCK_SKEW_MILLIS);
  const rows: Record<string, number> = {};
  for (const [table, condition] of Object.entries(EXPIRED))
    rows[table] = await deleteExpired(run, table, condition, before);
  if (refusalDays > 0) rows.refusals = await deleteRefusals(run, daysBefore(now, refusalDays), now);
  const [dropped, busy]: [string[], string[]] = [[], []];
  let auditIsShorter = (rows.refusals ?? 0) > 0;
  for (const table of Object.keys(partitionedTables) as PartitionedTable[]) {
    if (keptDays[table] === 0) continue;
    const days = await dropPartitions(run, table, daysBefore(now, keptDays[table]));
    dropped.push(...days.dropped);
    busy.push(...days.busy);
    if (table === 'audit_events' && days.dropped.length > 0) auditIsShorter = true;
  }
  if (auditIsShorter) await tellOfDrop(run, now, kept);
  return { rows, dropped, busy };
}

/** So that what is gone by then has a reason to be found, whatever the settings say later: this event is sealed as every other. */
async function tellOfDrop(run: Run, now: Date, { auditDays, refusalDays }: RetentionSettings): Promise<void> {
  const detail = {
    ...(auditDays > 0 && { events_before: daysBefore(now, auditDays) }),
    ...(refusalDays > 0 && { refusals_before: daysBefore(now, refusalDays) }),
  };
  const event = [uuid7(now), AUDIT_DROPPED, JSON.stringify(detail), now];
  await run('insert into audit_events (id, action, detail, created_at) values ($1, $2, $3, $4)', event);
}

/** Of hours that are sealed in a way that stands without them, and nothing else of these hours. */
async function deleteRefusals(run: Run, before: Date, now: Date): Promise<number> {
  const hours = (await run(
    'select hour from audit_seals where refusals > 0 and refusals_dropped_at is null and hour < $1 order by hour',
    [before],
  )) as { hour: Date }[];
  let deleted = 0;
  for (const { hour } of hours) {
    const [from, to] = [uuid7Floor(hour), uuid7Floor(new Date(hour.getTime() + HOUR_MILLIS))];
    deleted += await inBatches(
      run,
      `delete from audit_events where id = any (array(select id from audit_events
         where id >= $1 and id < $2 and ${IS_REFUSAL} limit ${BATCH})) and id >= $1 and id < $2 returning 1`,
      [from, to],
    );
    await run('update audit_seals set refusals_dropped_at = $2 where hour = $1', [hour, now]);
  }
  return deleted;
}

async function deleteExpired(run: Run, table: string, condition: string, now: Date): Promise<number> {
  return inBatches(
    run,
    `delete from ${table} where ctid = any (array(select ctid from ${table} where ${condition} limit ${BATCH} for update skip locked))
     returning 1`,
    [now],
  );
}

async function inBatches(run: Run, deletion: string, values: readonly unknown[]): Promise<number> {
  let deleted = 0;
  for (;;) {
    const gone = await run(deletion, values);
    deleted += gone.length;
    if (gone.length < BATCH) return deleted;
  }
}

const daysBefore = (now: Date, days: number): Date => new Date(now.getTime() - days * DAY_MILLIS);
