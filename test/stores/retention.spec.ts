import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Database } from '../../src/platform/postgres/database.js';
import { ensurePartitions } from '../../src/platform/postgres/partitions.js';
import { sweep, type Run, type Swept } from '../../src/platform/retention/expired-rows.js';
import { uuid7 } from '../../src/platform/uuid7.js';
import { freshDatabase, openDatabase } from '../postgres.js';

const NOW = new Date('2031-03-14T12:00:00.000Z');
const DAY = 86_400_000;
const at = (days: number): Date => new Date(NOW.getTime() + days * DAY);

let database: Database;
let close: () => Promise<void>;
const run: Run = (text, values) => database.query(text, values);
const keep = (auditDays: number, now = NOW): Promise<Swept> =>
  sweep(run, now, { issuanceDays: 90, auditDays, refusalDays: 0 });
const count = async (table: string): Promise<number> =>
  Number((await database.query<{ n: string }>(`select count(*) as n from ${table}`))[0]?.n);

beforeEach(async () => {
  const fresh = await freshDatabase();
  const opened = await openDatabase(fresh.connection);
  database = opened.database;
  close = async () => {
    await opened.end();
    await fresh.drop();
  };
});
afterEach(() => close());

async function events(...days: number[]): Promise<void> {
  for (const day of days)
    await database.query(`insert into audit_events (id, action, created_at) values ($1, 'tested', $2)`, [
      uuid7(at(day)),
      at(day),
    ]);
}

describe('the sweep', () => {
  it('deletes every row that has expired five minutes ago, in steps, and none that may live by the clock of another replica', async () => {
    await database.query(
      `insert into revocations (kind, id, reason, at, expires_at)
       select 'jti', 'expired-' || n, 'tested', $1, $1::timestamptz - interval '5 minutes 1 ms' from generate_series(1, 4100) n
       union all select 'jti', 'live-' || n, 'tested', $1, $1::timestamptz - interval '5 minutes' + n * interval '1 ms' from generate_series(0, 9) n`,
      [NOW],
    );
    expect((await keep(0)).rows).toMatchObject({ revocations: 4100 });
    expect(await count('revocations')).toBe(10);
    expect((await keep(0)).rows).toMatchObject({ revocations: 0 });
  });

  it('passes over a row that somebody holds, and finds it the next time', async () => {
    await database.query(
      `insert into revocations (kind, id, reason, at, expires_at) values ('jti', 'held', 'tested', $1, $1)`,
      [at(-1)],
    );
    await database.transaction(async (tx) => {
      await tx.query(`select 1 from revocations where id = 'held' for update`);
      expect((await keep(0)).rows).toMatchObject({ revocations: 0 });
    });
    expect((await keep(0)).rows).toMatchObject({ revocations: 1 });
  });

  it('drops whole days of audit events once they are older than is kept, and keeps them for ever where nothing is said', async () => {
    await ensurePartitions((text) => database.query(text), at(-10));
    await events(-9, -8, -3, -2, 0);
    expect((await keep(0)).dropped.filter((name) => name.startsWith('audit'))).toEqual([]);
    expect(await count('audit_events')).toBe(5);
    const { dropped, busy } = await keep(3);
    expect(dropped).toContain('audit_events_20310306');
    expect(dropped).not.toContain('audit_events_20310311');
    expect(busy).toEqual([]);
    const left = await database.query<{ action: string }>('select action from audit_events order by id');
    expect(left.filter(({ action }) => action !== 'audit.dropped')).toHaveLength(3);
    expect(left.at(-1)).toEqual({ action: 'audit.dropped' });
  });

  it('leaves issuances and codes of the last 90 days when audit events are kept for a shorter time', async () => {
    await ensurePartitions((text) => database.query(text), at(-100));
    const { dropped } = await keep(2);
    expect(dropped).toContain('issuances_20301204');
    expect(dropped.filter((name) => name.startsWith('issuances') && name >= 'issuances_20301214')).toEqual([]);
  });
});
