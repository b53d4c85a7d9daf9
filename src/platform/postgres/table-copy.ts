import type { Readable, Writable } from 'node:stream';
import pg from 'pg';
import copies from 'pg-copy-streams';
import { withClient, type PostgresConnection } from './connection.js';

export interface TableColumns {
  readonly name: string;
  readonly columns: readonly string[];
}

/** Whole tables out of and into the database, inside one transaction. */
export class TableCopy {
  constructor(private readonly client: pg.Client) {}

  /** All of ours but the record of migrations; a table stands behind those that it refers to. */
  async tables(): Promise<TableColumns[]> {
    const tables = await this.run<TableColumns>(
      `select c.relname as name, array_agg(a.attname::text order by a.attnum) as columns
       from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
       where c.relnamespace = current_schema()::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migrations'
       group by c.relname order by c.relname`,
    );
    const references = await this.run<{ from: string; to: string }>(
      `select a.relname as "from", b.relname as "to" from pg_constraint join pg_class a on a.oid = conrelid join pg_class b on b.oid = confrelid
       where contype = 'f' and conrelid <> confrelid and connamespace = current_schema()::regnamespace`,
    );
    return behindWhatTheyReferTo(tables, references);
  }

  /** In the order in which they ran; none where there is no schema yet. */
  async migrations(): Promise<string[]> {
    const [{ there }] = (await this.run(`select to_regclass('migrations') is not null as there`)) as [
      { there: boolean },
    ];
    if (!there) return [];
    const rows = await this.run<{ name: string }>('select name from migrations order by id');
    return rows.map(({ name }) => name);
  }

  /** The rows of a table in COPY's text format, which any later version of PostgreSQL reads. `rowCount` is right when it has ended. */
  out({ name, columns }: TableColumns): Readable & { rowCount: number } {
    return this.client.query(copies.to(`copy (select ${list(columns)} from ${quoted(name)}) to stdout`));
  }

  into({ name, columns }: TableColumns): Writable & { rowCount: number } {
    return this.client.query(copies.from(`copy ${quoted(name)} (${list(columns)}) from stdin`));
  }

  async isEmpty(table: string): Promise<boolean> {
    const [{ some }] = (await this.run(`select exists (select from ${quoted(table)}) as some`)) as [{ some: boolean }];
    return !some;
  }

  /** Nobody else reads or writes them from here on. */
  async takeAlone(tables: readonly TableColumns[]): Promise<void> {
    await this.run(`lock table ${list(tables.map(({ name }) => name))} in access exclusive mode`);
  }

  /** What the migrations put there goes too. */
  async empty(tables: readonly TableColumns[]): Promise<void> {
    await this.run(`truncate ${list(tables.map(({ name }) => name))}`);
  }

  /** Runs `work` without the triggers of our tables: what the rows that come tell of was told when they were written. */
  async quietly(work: () => Promise<void>): Promise<void> {
    const tables = await this.run<{ name: string }>(
      `select distinct c.relname as name from pg_trigger t join pg_class c on c.oid = t.tgrelid
        where not t.tgisinternal and c.relnamespace = current_schema()::regnamespace`,
    );
    for (const { name } of tables) await this.run(`alter table ${quoted(name)} disable trigger user`);
    await work();
    for (const { name } of tables) await this.run(`alter table ${quoted(name)} enable trigger user`);
  }

  async run<Row>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return (await this.client.query(text, values as unknown[])).rows as Row[];
  }
}

/** Runs `work` on one state of the whole database, whatever is committed meanwhile. Nobody waits for it but who changes the schema. */
export async function readTables<T>(connection: PostgresConnection, work: (copy: TableCopy) => Promise<T>): Promise<T> {
  return withClient(connection, async (client) => {
    const copy = new TableCopy(client);
    const before = await copy.tables();
    await client.query('begin isolation level repeatable read read only');
    // Locks before the first read: what is read then is of the schema that stays.
    await client.query(`lock table ${list([...before.map(({ name }) => name), 'migrations'])} in access share mode`);
    return work(copy);
  });
}

/** Runs `work` and commits; after an error nothing of it is there. */
export async function writeTables<T>(
  connection: PostgresConnection,
  work: (copy: TableCopy) => Promise<T>,
): Promise<T> {
  return withClient(connection, async (client) => {
    await client.query('begin');
    const result = await work(new TableCopy(client)); // an error closes the connection, and the transaction with it
    await client.query('commit');
    return result;
  });
}

function behindWhatTheyReferTo(
  tables: readonly TableColumns[],
  references: readonly { from: string; to: string }[],
): TableColumns[] {
  const [ordered, waiting] = [[] as TableColumns[], [...tables]];
  while (waiting.length > 0) {
    const free = waiting.findIndex(({ name }) =>
      references.every(({ from, to }) => from !== name || ordered.some((table) => table.name === to)),
    );
    if (free < 0) throw new Error(`these tables refer to each other: ${waiting.map(({ name }) => name).join(', ')}`);
    ordered.push(...waiting.splice(free, 1));
  }
  return ordered;
}

const quoted = pg.escapeIdentifier;
const list = (names: readonly string[]): string => names.map((name) => quoted(name)).join(', ');
