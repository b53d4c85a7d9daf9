import { clientConfig, withClient, type PostgresConnection } from '../src/platform/postgres/connection.js';
import { partitionedTables } from '../src/platform/postgres/partitions.js';
import { DataSource, type Logger, type MigrationInterface } from 'typeorm';

/**
 * A migration as the release before meets it. What takes something away says in which release that was last used, by the name that the
 * complaint has: `static readonly lastUsed = { 'column users.nickname': '0.3.0' }`.
 */
export type Migration = (new () => MigrationInterface) & { readonly lastUsed?: Readonly<Record<string, string>> };

/** Tables in which there are few rows by their nature: an index is made in no time, and a change of every row is short. */
const SMALL = new Set(
  'policy_epoch settings signing_keys resources fronting_links broker_providers sign_in_providers group_scopes audit_seals reencryptions'.split(
    ' ',
  ),
);

/** What stands between an old process and the rows it reads and writes. */
type Catalogue = Map<string, string>;

/**
 * Runs migrations on a database and tells what processes of the release before, which go on serving meanwhile and afterwards, would
 * stumble over: something they use is gone or stricter, a table is rewritten, or writes to a large one wait.
 *
 * @param lastRelease the version of the release before
 */
export async function complaints(
  connection: PostgresConnection,
  migrations: readonly Migration[],
  lastRelease: string,
): Promise<string[]> {
  const before = await catalogueOf(connection);
  const statements = await runAll(connection, migrations);
  const after = await catalogueOf(connection);
  const excused = new Set(
    migrations.flatMap(({ lastUsed = {} }) =>
      Object.entries(lastUsed).flatMap(([what, version]) => (isBefore(version, lastRelease) ? [what] : [])),
    ),
  );
  const tables = new Set([...before.keys()].flatMap((key) => (key.startsWith('table ') ? [key.slice(6)] : [])));
  return [...differences(before, after, tables), ...statements.flatMap((text) => waits(text, tables))]
    .filter(({ what }) => !excused.has(what))
    .map(({ what, why }) => `${what}: ${why}`);
}

interface Complaint {
  readonly what: string;
  readonly why: string;
}

/** Runs what has not run, each in a transaction of its own unless it says otherwise. @returns the SQL */
export async function runAll(connection: PostgresConnection, migrations: readonly Migration[]): Promise<string[]> {
  const statements: string[] = [];
  const source = new DataSource({
    type: 'postgres',
    migrations: [...migrations],
    logging: ['query'],
    logger: noting(statements),
    extra: clientConfig(connection),
  });
  await source.initialize();
  try {
    await source.runMigrations({ transaction: 'each' });
  } finally {
    await source.destroy();
  }
  return statements;
}

function noting(statements: string[]): Logger {
  const nothing = (): void => undefined;
  return {
    logQuery: (text) => void statements.push(text),
    logQueryError: nothing,
    logQuerySlow: nothing,
    logSchemaBuild: nothing,
    logMigration: nothing,
    log: nothing,
  };
}

/** One line for each thing that may be missed: name → what it is like. */
async function catalogueOf(connection: PostgresConnection): Promise<Catalogue> {
  const ours = `c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'migrations'`;
  const { rows } = await withClient(connection, (client) =>
    client.query<{ what: string; is: string }>(`
      select 'table ' || relname as what, relfilenode::text as is from pg_class c where ${ours}
      union all
      select 'column ' || c.relname || '.' || a.attname,
             format_type(a.atttypid, a.atttypmod) || ', ' || case when a.attnotnull then 'required' else 'optional' end || ', '
               || case when a.atthasdef or a.attidentity <> '' then 'with default' else 'without default' end
        from pg_attribute a join pg_class c on c.oid = a.attrelid where ${ours} and a.attnum > 0 and not a.attisdropped
      union all
      select 'rule ' || c.relname || '.' || r.conname,
             pg_get_constraintdef(r.oid) || ' on ' || (
               select coalesce(string_agg(a.attname, ',' order by a.attname), '') from pg_attribute a
                where a.attrelid = r.conrelid and a.attnum = any(r.conkey))
        from pg_constraint r join pg_class c on c.oid = r.conrelid where ${ours} and r.contype in ('c', 'f', 'u', 'p', 'x')
      union all
      select 'rule ' || c.relname || '.' || i.relname,
             'unique on ' || (
               select coalesce(string_agg(a.attname, ',' order by a.attname), '') from pg_attribute a
                where a.attrelid = c.oid and a.attnum = any(x.indkey))
        from pg_index x join pg_class c on c.oid = x.indrelid join pg_class i on i.oid = x.indexrelid
       where ${ours} and x.indisunique and not exists (select from pg_constraint r where r.conindid = x.indexrelid)`),
  );
  return new Map(rows.map(({ what, is }) => [what, is]));
}

function differences(before: Catalogue, after: Catalogue, oldTables: ReadonlySet<string>): Complaint[] {
  const found: Complaint[] = [];
  for (const [what, was] of before) {
    const is = after.get(what);
    // A rule that is gone refuses nobody.
    if (is === undefined && !what.startsWith('rule '))
      found.push({ what, why: 'is gone, and the release before uses it' });
    else if (is !== undefined && is !== was) found.push(...changes(what, was, is));
  }
  for (const [what, is] of after) {
    const table = /^\w+ (\w+)/.exec(what)?.[1] ?? '';
    if (before.has(what) || !oldTables.has(table)) continue;
    if (what.startsWith('column ') && is.endsWith('required, without default'))
      found.push({ what, why: 'must be given, and the release before does not know it' });
    if (
      what.startsWith('rule ') &&
      is
        .split(' on ')
        .at(-1)!
        .split(',')
        .some((column) => before.has(`column ${table}.${column}`))
    )
      found.push({ what, why: `may refuse what the release before writes (${is})` });
  }
  return found;
}

function changes(what: string, was: string, is: string): Complaint[] {
  if (what.startsWith('table ')) return [{ what, why: 'is rewritten, and nobody reads it meanwhile' }];
  if (what.startsWith('rule ')) return [{ what, why: `is another one (${was}; now ${is})` }];
  const [[type, need, fallback], [newType, newNeed, newFallback]] = [was.split(', '), is.split(', ')];
  const stricter =
    type !== newType ||
    (need === 'optional' && newNeed === 'required') ||
    (fallback === 'with default' && newFallback === 'without default');
  return stricter ? [{ what, why: `was ${was}; now ${is}` }] : [];
}

const INDEX =
  /create\s+(?:unique\s+)?index\s+(concurrently\s+)?(?:if\s+not\s+exists\s+)?"?(\w+)"?\s+on\s+(only\s+)?"?(\w+)"?/gi;
const EVERY_ROW =
  /\b(?:(update)\s+(?:only\s+)?"?(\w+)"?(?:\s+(?:as\s+)?\w+)?\s+set|(delete)\s+from\s+(?:only\s+)?"?(\w+)"?)\b/gi;
const LOCKED = /\block\s+(?:table\s+)?"?(\w+)"?/gi;

/** Whoever writes to a large table would wait for this statement. */
function waits(text: string, oldTables: ReadonlySet<string>): Complaint[] {
  const large = (table: string | undefined): boolean =>
    table !== undefined && oldTables.has(table) && !SMALL.has(table);
  // The body of a function runs later, and for one row or a few.
  const now = text.replaceAll(/\$(\w*)\$[\s\S]*?\$\1\$/g, '');
  return [
    ...[...now.matchAll(INDEX)].flatMap(([, concurrently, index, only, table = '']) =>
      large(table) && !concurrently && !(only && table in partitionedTables)
        ? [{ what: `index ${index}`, why: `is not made concurrently, and writes to ${table} wait for it` }]
        : [],
    ),
    ...[...now.matchAll(EVERY_ROW)].flatMap(([, update, updated, , deleted]) =>
      large(updated ?? deleted)
        ? [{ what: `table ${updated ?? deleted}`, why: `many rows are ${update ? 'changed' : 'deleted'} at once` }]
        : [],
    ),
    ...[...now.matchAll(LOCKED)].flatMap(([, table]) =>
      large(table) ? [{ what: `table ${table}`, why: 'is locked' }] : [],
    ),
  ];
}

function isBefore(version: string, other: string): boolean {
  const [a, b] = [version, other].map((each) => each.split('.').map(Number));
  const at = a!.findIndex((part, index) => part !== b![index]);
  return at >= 0 && a![at]! < b![at]!;
}
