import { uuid7Floor } from '../uuid7.js';
import { sqlState } from './database-away.js';

/** Runs one text of SQL, which may be several statements: Postgres then makes them one transaction. */
export type RunSql = (text: string) => Promise<unknown>;

/** The tables that grow with traffic, and the UUID v7 by whose time they are partitioned (S3). */
export const partitionedTables = { authorization_codes: 'id', issuances: 'jti', audit_events: 'id' } as const;
export type PartitionedTable = keyof typeof partitionedTables;

const DAY_MILLIS = 86_400_000;
/** Nobody waits longer behind us than this; what is busy is done at the next turn. */
const LOCK = `set local lock_timeout = '1s'; select pg_advisory_xact_lock(hashtext('authplane'), hashtext('partitions'));`;

export interface EnsuredPartitions {
  readonly created: string[];
  /** Days that stay in DEFAULT because it already holds rows of theirs: found and stored as ever, but not dropped at once. */
  readonly leftToDefault: string[];
}

/**
 * Makes the daily partitions from today on, `daysAhead` days ahead. Several replicas may do it at once.
 *
 * A partition is made beside its table and then attached: writers wait for milliseconds, not for the scan.
 */
export async function ensurePartitions(run: RunSql, now: Date, daysAhead = 14): Promise<EnsuredPartitions> {
  const there = new Set((await existing(run)).map((partition) => partition.name));
  const result: EnsuredPartitions = { created: [], leftToDefault: [] };
  for (const table of Object.keys(partitionedTables) as PartitionedTable[]) {
    for (let day = 0; day <= daysAhead; day++) {
      const from = startOfDay(now, day);
      const name = partitionName(table, from);
      if (there.has(name)) continue;
      const made = await createPartition(run, table, name, from);
      (made ? result.created : result.leftToDefault).push(name);
    }
  }
  return result;
}

/** @returns false when DEFAULT holds rows of that day */
async function createPartition(run: RunSql, table: PartitionedTable, name: string, from: Date): Promise<boolean> {
  const [low, high] = [uuid7Floor(from), uuid7Floor(startOfDay(from, 1))];
  const key = partitionedTables[table];
  try {
    await run(`${LOCK}
      do $$ begin
        if to_regclass('${name}') is null then
          create table ${name} (like ${table} including all, constraint within check (${key} >= '${low}' and ${key} < '${high}'));
          alter table ${table} attach partition ${name} for values from ('${low}') to ('${high}');
          alter table ${name} drop constraint within;
        end if;
      end $$`);
    return true;
  } catch (error) {
    if (sqlState(error) === '23514') return false;
    throw error;
  }
}

/**
 * Drops the days of `table` that lie wholly before `before`, and deletes what DEFAULT holds from before.
 *
 * @returns names of what was dropped, and of what somebody's long read kept: try again later
 */
export async function dropPartitions(
  run: RunSql,
  table: PartitionedTable,
  before: Date,
): Promise<{ dropped: string[]; busy: string[] }> {
  const lastName = partitionName(table, startOfDay(before, -1));
  const old = (await existing(run)).filter((it) => it.parent === table && it.daily && it.name <= lastName);
  const [dropped, busy]: [string[], string[]] = [[], []];
  for (const { name } of old) {
    try {
      await run(`${LOCK} drop table if exists ${name}`);
      dropped.push(name);
    } catch (error) {
      if (sqlState(error) !== '55P03') throw error;
      busy.push(name);
    }
  }
  await run(`delete from ${table}_default where ${partitionedTables[table]} < '${uuid7Floor(before)}'`);
  return { dropped, busy };
}

/** The first day that has a partition of its own; undefined before any was made. */
export async function oldestPartitionDay(run: RunSql): Promise<Date | undefined> {
  const days = (await existing(run)).filter(({ daily }) => daily).map(({ name }) => name.slice(-8));
  const [oldest] = days.toSorted();
  return oldest === undefined
    ? undefined
    : new Date(`${oldest.slice(0, 4)}-${oldest.slice(4, 6)}-${oldest.slice(6)}T00:00:00Z`);
}

async function existing(run: RunSql): Promise<{ parent: string; name: string; daily: boolean }[]> {
  const tables = Object.keys(partitionedTables).map((table) => `'${table}'::regclass`);
  const rows = await run(`
    select p.relname as parent, c.relname as name, c.relname ~ '_[0-9]{8}$' as daily
    from pg_inherits i join pg_class p on p.oid = i.inhparent join pg_class c on c.oid = i.inhrelid
    where i.inhparent in (${tables.join(', ')}) order by c.relname`);
  return rows as { parent: string; name: string; daily: boolean }[];
}

/** UTC midnight, `days` after the one of `at`. */
function startOfDay(at: Date, days: number): Date {
  return new Date((Math.floor(at.getTime() / DAY_MILLIS) + days) * DAY_MILLIS);
}

function partitionName(table: PartitionedTable, day: Date): string {
  return `${table}_${day.toISOString().slice(0, 10).replaceAll('-', '')}`;
}
