import { createHash, type Hash } from 'node:crypto';
import { Readable, Transform, type TransformCallback, type Writable } from 'node:stream';
import type { PostgresConnection } from '../postgres/connection.js';
import { readTables, type TableColumns, type TableCopy } from '../postgres/table-copy.js';
import { oldestPartitionDay } from '../postgres/partitions.js';
import { writeArchive } from './archive.js';
import { FORMAT, type Manifest, type TableRecord } from './manifest.js';

/** What a backup says besides its rows. */
export type Circumstances = Pick<Manifest, 'version' | 'createdAt' | 'issuer' | 'secretMarks' | 'keyStore'>;

export const MANIFEST = 'manifest.json';
export const entryOf = (table: string): string => `tables/${table}`;

/**
 * Backup — the database in one file, and back.
 * Owns: the file's format, what is ended when an older state comes back. Not here: reading and writing tables (postgres/table-copy), the
 * commands (src/backups.ts), secrets of the configuration, of which a backup holds marks only.
 * Holds always: one file is one state of the database, taken while the servers serve; what is not whole is not restored; rows are restored
 * by the schema they were made under, and migrated then.
 *
 * Writes a backup. Jobs that wait are not part of it: what they were for is in the rows.
 *
 * @throws Error of the database or of `output`; what was written then is no backup
 */
export async function backup(
  connection: PostgresConnection,
  output: Writable,
  circumstances: Circumstances,
): Promise<Manifest> {
  return readTables(connection, async (copy) => {
    const oldestDay = (await oldestPartitionDay((text) => copy.run(text)))?.toISOString();
    const head = { format: FORMAT, ...circumstances, migrations: await copy.migrations(), oldestDay };
    const records: TableRecord[] = [];
    const tables = (await copy.tables()).map((table) => ({
      name: entryOf(table.name),
      open: () => recorded(copy, table, records),
    }));
    const manifest = (): Manifest => ({ ...head, tables: records });
    const last = { name: MANIFEST, open: () => Readable.from([JSON.stringify(manifest(), null, 2)]) };
    await writeArchive(output, [...tables, last]);
    return manifest();
  });
}

/** The rows of a table; when they have gone by, their number and hash are put on record. */
function recorded(copy: TableCopy, table: TableColumns, records: TableRecord[]): Readable {
  const rows = copy.out(table);
  const hashing = new Hashing((sha256) =>
    records.push({ ...table, columns: [...table.columns], rows: rows.rowCount, sha256 }),
  );
  rows.once('error', (error) => hashing.destroy(error));
  return rows.pipe(hashing);
}

/** Passes bytes on, and says what they were. */
export class Hashing extends Transform {
  readonly #hash: Hash = createHash('sha256');

  constructor(private readonly tell: (sha256: string) => void) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#hash.update(chunk);
    done(null, chunk);
  }

  override _flush(done: TransformCallback): void {
    this.tell(this.#hash.digest('hex'));
    done();
  }
}
