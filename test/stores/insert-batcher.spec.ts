import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DatabaseAway, type Database } from '../../src/platform/postgres/database.js';
import { BatcherFull, InsertBatcher } from '../../src/platform/postgres/insert-batcher.js';
import { uuid7 } from '../../src/platform/uuid7.js';
import { freshDatabase, openDatabase } from '../postgres.js';

interface Row {
  id: string;
  name: string | null;
  size?: number;
  tags?: string[];
  detail?: unknown;
}

const INSERT = `insert into things (id, name, size, tags, detail)
  select id, name, coalesce(size, 1), tags, detail
  from jsonb_to_recordset($1::jsonb) as r(id uuid, name text, size int, tags text[], detail jsonb)`;
const NOW = new Date('2026-11-20T10:00:00Z');
const row = (values: Partial<Row> = {}): Row => ({ id: uuid7(NOW), name: 'thing', ...values });

let database: Database;
let batches: number[] = [];
let close: () => Promise<void>;

/** Counts the statements and their rows. */
const run = (sql: string) => (rowsJson: string) => {
  batches.push((JSON.parse(rowsJson) as unknown[]).length);
  return database.query(sql, [rowsJson], `things.${sql.length}`);
};

const count = async (condition = 'true'): Promise<number> =>
  (await database.query<{ n: number }>(`select count(*)::int as n from things where ${condition}`))[0]!.n;

beforeAll(async () => {
  const { connection, drop } = await freshDatabase();
  const opened = await openDatabase(connection);
  database = opened.database;
  close = async () => {
    await opened.end();
    await drop();
  };
  await database.query(`create table things (
    id uuid primary key, name text not null, size int not null check (size > 0), tags text[], detail jsonb)`);
  await database.query('create index things_name on things (name)');
});
beforeEach(async () => {
  await database.query('truncate things');
  batches = [];
});
afterAll(() => close());

describe('the insert batcher', () => {
  it('writes the rows of a hundred callers with two statements: the first alone, its neighbours behind it', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const first = batcher.add(row());
    await Promise.resolve().then(() => Promise.resolve()); // the first is in flight
    await Promise.all([first, ...Array.from({ length: 99 }, () => batcher.add(row()))]);
    expect(batches).toEqual([1, 99]);
    expect(await count()).toBe(100);
  });

  it('sends at most five hundred rows at once', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    await Promise.all(Array.from({ length: 1_200 }, () => batcher.add(row())));
    expect(batches).toEqual([500, 500, 200]);
    expect(await count()).toBe(1_200);
  });

  it('resolves only after the commit: another connection sees the row', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const one = row();
    await batcher.add(one);
    expect(await count(`id = '${one.id}'`)).toBe(1);
  });

  it('fails exactly the four bad rows of sixty-four, each with its own fault', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const rows = Array.from({ length: 64 }, () => row());
    rows[3] = row({ id: 'not-a-uuid' });
    rows[17] = row({ name: null });
    rows[18] = row({ size: -1 });
    rows[63] = row({ id: rows[0]!.id });
    const results = await Promise.allSettled(rows.map((each) => batcher.add(each)));
    const failed = results.flatMap((result, at) => (result.status === 'rejected' ? [[at, result.reason.code]] : []));
    expect(failed).toEqual([
      [3, '22P02'],
      [17, '23502'],
      [18, '23514'],
      [63, '23505'],
    ]);
    expect(await count()).toBe(60);
  });

  it('does not let a name that is too long for its index fail its neighbours', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const long = row({ name: randomBytes(20_000).toString('base64') });
    const results = await Promise.allSettled([row(), long, row()].map((each) => batcher.add(each)));
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('stores what a stranger put a NUL or half a surrogate pair into', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const rows = [row({ name: 'a\0b' }), row({ tags: ['\ud800'] }), row({ detail: { 'k\0': ['v\udfff'] } }), row()];
    await Promise.all(rows.map((each) => batcher.add(each)));
    expect(batches).toEqual([4]);
    expect(await count(`name = 'a\ufffdb' or tags = array['\ufffd'] or detail = '{"k\ufffd":["v\ufffd"]}'`)).toBe(3);
  });

  it('fails a row that has no JSON before it meets the others', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const results = await Promise.allSettled([batcher.add(row({ detail: 1n })), batcher.add(row())]);
    expect(results.map((result) => result.status)).toEqual(['rejected', 'fulfilled']);
  });

  it('reads a row when it is added, not when it is sent', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT) });
    const changing = row({ name: 'before' });
    const added = batcher.add(changing);
    changing.name = 'after';
    await added;
    expect(await count(`name = 'before'`)).toBe(1);
  });

  it('says which rows an insert that verifies what it writes has left out', async () => {
    const verified = `${INSERT} where name <> 'stale' returning id as key`;
    const batcher = new InsertBatcher<Row>({ run: run(verified), keyOf: ({ id }) => id });
    const stored = await Promise.all(['fresh', 'stale', 'fresh'].map((name) => batcher.offer(row({ name }))));
    expect(stored).toEqual([true, false, true]);
    expect(await count()).toBe(2);
  });
});

describe('when the database cannot', () => {
  const failing = (times: number, error: Error) => {
    let calls = 0;
    const batcher = new InsertBatcher<Row>({
      run: async (rowsJson) => {
        if (calls++ < times) throw error;
        return run(INSERT)(rowsJson);
      },
    });
    return { batcher, calls: () => calls };
  };

  it('tells every row of the batch that the database is away, and does not go looking for a guilty one', async () => {
    const { batcher, calls } = failing(Infinity, Object.assign(new Error('shutting down'), { code: '57P01' }));
    const results = await Promise.allSettled(Array.from({ length: 64 }, () => batcher.add(row())));
    expect(results.every((result) => result.status === 'rejected' && result.reason instanceof DatabaseAway)).toBe(true);
    expect(calls()).toBe(1);
  });

  it('works again with the next row', async () => {
    const { batcher } = failing(1, Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
    await expect(batcher.add(row())).rejects.toThrow(DatabaseAway);
    await batcher.add(row());
    expect(await count()).toBe(1);
  });

  it('runs a batch again after a deadlock, three times at most', async () => {
    const deadlock = Object.assign(new Error('deadlock detected'), { code: '40P01' });
    const thrice = failing(3, deadlock);
    await Promise.all([thrice.batcher.add(row()), thrice.batcher.add(row())]);
    expect([thrice.calls(), await count()]).toEqual([4, 2]);

    const forever = failing(Infinity, deadlock);
    await expect(forever.batcher.add(row())).rejects.toBe(deadlock);
    expect(forever.calls()).toBe(4);
  });

  it('refuses a row beyond the bound at once, and keeps what waits', async () => {
    const batcher = new InsertBatcher<Row>({ run: run(INSERT), maxWaiting: 10 });
    const adding = Array.from({ length: 15 }, () => batcher.add(row()));
    expect(batcher.waiting).toBe(10);
    const results = await Promise.allSettled(adding);
    expect(
      results.filter((result) => result.status === 'rejected' && result.reason instanceof BatcherFull),
    ).toHaveLength(5);
    expect([batcher.waiting, await count()]).toEqual([0, 10]);
  });
});
