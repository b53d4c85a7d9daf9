import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
import { headIn } from './envelope.js';
import type { SealedColumn } from './sealed-column.js';

/** A value that another key has sealed. */
export interface StaleValue {
  readonly id: string;
  readonly sealed: string;
  readonly row: Readonly<Record<string, string>>;
}

/** One value and what is to stand in its place. */
export interface Resealed {
  readonly id: string;
  readonly sealed: string;
  readonly resealed: string;
}

/** A stretch of a column, in the order of the primary key. */
export interface Stretch {
  readonly stale: readonly StaleValue[];
  /** How many values there were, stale or not. */
  readonly seen: number;
  /** Where the next stretch begins; undefined at the end. */
  readonly next?: string;
}

/** Statements end after two seconds: no table is walked in one. */
const COUNTED_AT_ONCE = 20_000;
/** At either end of a column. */
const LOOKED_AT_BOOT = 1_000;

/** Reads and replaces sealed values of any declared column. All names in its SQL are from declarations in the code. */
@Injectable()
export class SealedColumnStore {
  constructor(private readonly database: Database) {}

  /** @param prefix with what values begin that are not stale */
  async stretch(column: SealedColumn, after: string | undefined, prefix: string, size: number): Promise<Stretch> {
    const { key, reads } = column;
    const others = reads.map((name) => `, ${name}::text as "${name}"`).join('');
    const rows = await this.database.query<Record<string, string> & { sealed: string | null }>(
      `select ${key}::text as "${key}"${others}, case when starts_with(${column.column}, $2) then null else ${column.column} end as sealed
       ${walked(column, after)} limit $3`,
      [after ?? null, prefix, size],
    );
    const stale = rows.flatMap(({ sealed, ...row }) => (sealed === null ? [] : [{ id: row[key] ?? '', sealed, row }]));
    return { stale, seen: rows.length, next: rows.length < size ? undefined : rows.at(-1)?.[key] };
  }

  /**
   * Puts a value in the place of exactly the one it was made of. A row that somebody has locked is left out, not waited for: it is about
   * to get a newer value.
   *
   * @returns how many were replaced
   */
  async replace({ table, column, key, keyType }: SealedColumn, values: readonly Resealed[]): Promise<number> {
    if (values.length === 0) return 0;
    const moved = await this.database.query(
      `with wanted as (select * from unnest($1::${keyType}[], $2::text[], $3::text[]) as w(id, sealed, resealed)),
            free as (select t.${key} as id, wanted.resealed from ${table} t join wanted on t.${key} = wanted.id and t.${column} = wanted.sealed
                     for no key update of t skip locked)
       update ${table} t set ${column} = free.resealed from free where t.${key} = free.id returning 1`,
      [values.map(({ id }) => id), values.map(({ sealed }) => sealed), values.map(({ resealed }) => resealed)],
    );
    return moved.length;
  }

  /** What heads the envelopes of the oldest and the newest rows have. */
  async headsAtTheEnds({ table, column, key }: SealedColumn): Promise<readonly string[]> {
    const end = (order: string): string =>
      `(select ${column} as sealed from ${table} order by ${key} ${order} limit $1)`;
    const rows = await this.database.query<{ head: string }>(
      `select distinct ${headIn('sealed')} as head from (${end('asc')} union all ${end('desc')}) as ends where sealed is not null`,
      [LOOKED_AT_BOOT],
    );
    return rows.map(({ head }) => head);
  }

  /** How many values there are, by the head of their envelopes. */
  async countByHead(column: SealedColumn): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    let after: string | undefined;
    do {
      const heads = await this.#countStretch(column, after);
      for (const { head, count } of heads) if (head !== null) counts.set(head, (counts.get(head) ?? 0) + count);
      const [stretch] = heads;
      after = stretch?.seen === COUNTED_AT_ONCE ? stretch.last : undefined;
    } while (after !== undefined);
    return counts;
  }

  /** Rows without a value are walked over as well: a column of few values must not make one stretch the whole table. */
  #countStretch({ table, column, key, keyType }: SealedColumn, after: string | undefined): Promise<HeadCount[]> {
    const from = after === undefined ? `$1::${keyType} is null` : `${key} > $1::${keyType}`;
    return this.database.query<HeadCount>(
      `with walked as materialized (select ${key} as id, ${column} as sealed from ${table} where ${from} order by ${key} limit $2)
       select ${headIn('sealed')} as head, count(*)::int as count, (select count(*)::int from walked) as seen,
              (select id::text from walked order by id desc limit 1) as last
       from walked group by head`,
      [after ?? null, COUNTED_AT_ONCE],
    );
  }
}

interface HeadCount {
  /** Null: there is no value. */
  readonly head: string | null;
  readonly count: number;
  readonly seen: number;
  readonly last: string;
}

const walked = ({ table, column, key, keyType }: SealedColumn, after: string | undefined): string =>
  `from ${table} where ${column} is not null and ${after === undefined ? `$1::${keyType} is null` : `${key} > $1::${keyType}`} order by ${key}`;
