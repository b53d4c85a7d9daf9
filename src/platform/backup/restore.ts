import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { migrate, migrationNames } from '../postgres/migrate.js';
import { ensurePartitions } from '../postgres/partitions.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { writeTables, type TableCopy } from '../postgres/table-copy.js';
import { uuid7 } from '../uuid7.js';
import { Archive } from './archive.js';
import { entryOf, Hashing, MANIFEST } from './backup.js';
import { manifestOf, type Manifest, type TableRecord } from './manifest.js';

const DAY_MILLIS = 86_400_000;
/** Older days share one partition. */
const MAX_DAYS = 1_100;
const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;
/** Tables into which migrations put a row. */
const SEEDED = ['policy_epoch', 'settings'];

export interface Restoring {
  readonly now: Date;
  /**
   * No server ran since the backup was made: tokens, codes and sessions are what they were. Otherwise all of them end, because some may
   * have been spent or revoked since, of which the backup knows nothing.
   */
  readonly keepTokens: boolean;
}

/** Reads a backup from its first byte to its last. @throws Error that names what is missing or was changed */
export async function checkBackup(path: string): Promise<Manifest> {
  return withBackup(path, async (archive, manifest) => {
    for (const record of manifest.tables) await readRows(archive, record, () => undefined);
    return manifest;
  });
}

/**
 * Brings a backup into a database that is empty. When it fails there are no rows, and it can be tried again.
 *
 * @throws Error that says what to do
 */
export async function restore(
  connection: PostgresConnection,
  path: string,
  { now, keepTokens }: Restoring,
): Promise<Manifest> {
  return withBackup(path, async (archive, manifest) => {
    mustBeKnown(manifest);
    await writeTables(connection, (copy) => mustBeEmpty(copy, manifest));
    await migrate(connection, now, manifest.migrations.length);
    await writeTables(connection, async (copy) => {
      await partitionsSince(copy, manifest.oldestDay, now);
      const tables = await copy.tables();
      await copy.takeAlone(tables);
      await mustBeEmpty(copy, manifest);
      await copy.empty(tables);
      await copy.quietly(async () => {
        for (const { name } of tables) {
          const record = manifest.tables.find((table) => table.name === name);
          if (record) await readRows(archive, record, () => copy.into(record));
          else throw new Error(`the backup has no table ${name}`);
        }
        if (!keepTokens) await endEverything(copy, manifest, now);
      });
      await copy.run(
        `insert into audit_events (id, action, detail, created_at) values ($1, 'backup.restored', $2, $3)`,
        [uuid7(now), { made_at: manifest.createdAt, kept_tokens: keepTokens }, now],
      );
    });
    await migrate(connection, now);
    return manifest;
  });
}

async function withBackup<T>(path: string, work: (archive: Archive, manifest: Manifest) => Promise<T>): Promise<T> {
  const archive = await Archive.open(path);
  try {
    return await work(archive, manifestOf(await text(await archive.read(MANIFEST, MAX_MANIFEST_BYTES))));
  } finally {
    archive.close();
  }
}

/** @param to undefined: nowhere, it is only looked at */
async function readRows(
  archive: Archive,
  record: TableRecord,
  to: () => ReturnType<TableCopy['into']> | undefined,
): Promise<void> {
  let read = '';
  const rows = await archive.read(entryOf(record.name));
  const hashing = new Hashing((sha256) => (read = sha256));
  const table = to();
  if (table) await pipeline(rows, hashing, table);
  else await pipeline(rows, hashing.resume());
  if (read !== record.sha256 || (table && table.rowCount !== record.rows))
    throw new Error(`the rows of ${record.name} are not those that the backup was made with`);
}

function mustBeKnown({ version, migrations }: Manifest): void {
  const known = migrationNames();
  if (migrations.every((name, at) => name === known[at])) return;
  throw new Error(
    `the backup was made by version ${version}, whose schema this one does not know: restore it with that version`,
  );
}

/** Tables may be there, of the backup's schema or an older one: those of an attempt that failed. */
async function mustBeEmpty(copy: TableCopy, manifest: Manifest): Promise<void> {
  const there = await copy.migrations();
  const tables = await copy.tables();
  for (const { name } of tables.filter((table) => !SEEDED.includes(table.name)))
    if (there.length === 0 || !(await copy.isEmpty(name)))
      throw new Error(`the database is not empty, there is ${name}: restore into a new one`);
  if (there.length > manifest.migrations.length)
    throw new Error('the database has a newer schema than the backup: restore into one without tables');
}

async function partitionsSince(copy: TableCopy, oldestDay: string | undefined, now: Date): Promise<void> {
  if (oldestDay === undefined) return;
  const days = Math.floor((now.getTime() - new Date(oldestDay).getTime()) / DAY_MILLIS);
  const back = Math.min(Math.max(days, 0), MAX_DAYS);
  await ensurePartitions((sql) => copy.run(sql), new Date(now.getTime() - back * DAY_MILLIS), back);
}

/**
 * Families take their access tokens with them (S5). Tokens without a row of a family are named one by one, also those whose client has no
 * refresh tokens. What has expired needs nothing. Nobody outside is told: it was the operator.
 */
async function endEverything(copy: TableCopy, { createdAt }: Manifest, now: Date): Promise<void> {
  const remembered = `$1::timestamptz + interval '400 days'`;
  await copy.run(
    `insert into revocations (kind, id, reason, at, expires_at)
     select 'family', id::text, 'restored', $1, ${remembered} from families on conflict do nothing`,
    [now],
  );
  await copy.run(
    `insert into revocations (kind, id, reason, at, expires_at)
     select 'jti', jti::text, 'restored', $1, ${remembered} from issuances i
     where expires_at > $2 and not exists (select from families f where f.id = i.family_id) on conflict do nothing`,
    [now, createdAt],
  );
  for (const table of ['sessions', 'authorization_codes', 'connect_flows']) await copy.run(`delete from ${table}`);
}
