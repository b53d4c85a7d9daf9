import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/platform/postgres/database.js';
import { ReadBatcher } from '../../src/platform/postgres/read-batcher.js';
import { uuid7 } from '../../src/platform/uuid7.js';
import { freshDatabase, openDatabase } from '../postgres.js';

interface Thing {
  id: string;
  size: number;
}

const NOW = new Date('2026-11-20T10:00:00Z');
const ids = Array.from({ length: 250 }, () => uuid7(NOW));

let database: Database;
let close: () => Promise<void>;
let batches: number[] = [];

const run = (given: readonly string[]): Promise<Thing[]> => {
  batches.push(given.length);
  return database.query<Thing>('select id, size from things where id = any($1::uuid[])', [given]);
};

beforeAll(async () => {
  const { connection, drop } = await freshDatabase();
  const opened = await openDatabase(connection);
  database = opened.database;
  close = async () => {
    await opened.end();
    await drop();
  };
  await database.query('create table things (id uuid primary key, size int not null)');
});
beforeEach(async () => {
  await database.query('truncate things');
  await database.query('insert into things select id, n from unnest($1::uuid[]) with ordinality as t(id, n)', [ids]);
  batches = [];
});
afterAll(() => close());

describe('the read batcher', () => {
  it('reads for many with few statements, and tells each its own row', async () => {
    const batcher = new ReadBatcher(run);
    const first = batcher.read(ids[0]!);
    await Promise.resolve().then(() => Promise.resolve()); // the first is in flight
    const rows = await Promise.all([first, ...ids.slice(1).map((id) => batcher.read(id))]);
    expect(rows.map((row) => row?.size)).toEqual(ids.map((_, index) => index + 1));
    expect(batches).toEqual([1, 100, 100, 49]);
  });

  it('reads once what several ask for, and tells who asks for nothing that there is nothing', async () => {
    const batcher = new ReadBatcher(run);
    const rows = await Promise.all([ids[1]!, ids[1]!, uuid7(NOW)].map((id) => batcher.read(id)));
    expect(rows.map((row) => row?.size)).toEqual([2, 2, undefined]);
    expect(batches).toEqual([2]);
  });

  it('tells nobody what was read before they asked', async () => {
    let later: Promise<Thing | undefined> | undefined;
    const batcher: ReadBatcher<Thing> = new ReadBatcher(async (given) => {
      const rows = await run(given);
      if (!later) {
        await database.query('update things set size = 1000 where id = $1', [ids[2]]);
        later = batcher.read(ids[2]!);
      }
      return rows;
    });
    expect((await batcher.read(ids[2]!))?.size).toBe(3);
    expect((await later)?.size).toBe(1000);
  });

  it('fails for all of one statement, and goes on with the next', async () => {
    const batcher = new ReadBatcher<Thing>((given) =>
      batches.length === 0 ? (batches.push(0), Promise.reject(new Error('away'))) : run(given),
    );
    const failed = await Promise.allSettled([batcher.read(ids[3]!), batcher.read(ids[4]!)]);
    expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect((await batcher.read(ids[3]!))?.size).toBe(4);
  });
});
