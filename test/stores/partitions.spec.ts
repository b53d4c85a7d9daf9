import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withClient } from '../../src/platform/postgres/connection.js';
import type { Database } from '../../src/platform/postgres/database.js';
import type { EmbeddedConnection } from '../../src/platform/postgres/embedded-postgres.js';
import { dropPartitions, ensurePartitions } from '../../src/platform/postgres/partitions.js';
import { uuid7 } from '../../src/platform/uuid7.js';
import { freshDatabase, openDatabase } from '../postgres.js';

/** Far from the days that the template database has partitions for. */
const NOW = new Date('2031-03-14T23:59:59.999Z');
const day = (days: number): Date => new Date(NOW.getTime() + days * 86_400_000);

let connection: EmbeddedConnection;
let database: Database;
let close: () => Promise<void>;
const run = (text: string) => database.query(text);

beforeEach(async () => {
  const fresh = await freshDatabase();
  connection = fresh.connection;
  const opened = await openDatabase(connection);
  database = opened.database;
  close = async () => {
    await opened.end();
    await fresh.drop();
  };
});
afterEach(() => close());

async function event(at: Date): Promise<string> {
  const id = uuid7(at);
  await database.query(`insert into audit_events (id, action, created_at) values ($1, 'tested', $2)`, [id, at]);
  return id;
}

async function homeOf(id: string): Promise<string | undefined> {
  const [row] = await database.query<{ home: string }>(
    'select tableoid::regclass as home from audit_events where id = $1',
    [id],
  );
  return row?.home;
}

describe('daily partitions', () => {
  it('are made once for each table, today and fourteen days ahead', async () => {
    const { created, leftToDefault } = await ensurePartitions(run, NOW);
    expect([created.length, leftToDefault]).toEqual([45, []]);
    expect(created).toContain('authorization_codes_20310314');
    expect(created).toContain('audit_events_20310328');
    expect(await ensurePartitions(run, NOW)).toEqual({ created: [], leftToDefault: [] });
    expect((await ensurePartitions(run, day(1))).created).toHaveLength(3);
  });

  it('are made by several replicas at once, without one of them failing', async () => {
    const results = await Promise.all([1, 2, 3].map(() => ensurePartitions(run, NOW)));
    expect(results.flatMap((result) => result.leftToDefault)).toEqual([]);
    expect(new Set(results.flatMap((result) => result.created)).size).toBe(45);
  });

  it('take the rows of their day by the id alone, to the last millisecond', async () => {
    await ensurePartitions(run, NOW);
    expect(await homeOf(await event(NOW))).toBe('audit_events_20310314');
    expect(await homeOf(await event(new Date(NOW.getTime() + 1)))).toBe('audit_events_20310315');
    expect(await homeOf(await event(day(400)))).toBe('audit_events_default');
  });

  it('have all indexes of their table, and its primary key', async () => {
    await ensurePartitions(run, NOW, 0);
    const indexes = (table: string) => database.query(`select 1 from pg_indexes where tablename = '${table}'`);
    for (const table of ['authorization_codes', 'issuances', 'audit_events']) {
      expect(await indexes(`${table}_20310314`)).toHaveLength((await indexes(table)).length);
    }
    await expect(
      database.query(`insert into audit_events (id, action, created_at)
      select id, 'again', now() from (values ('${await event(NOW)}'::uuid)) v(id)`),
    ).rejects.toMatchObject({ code: '23505' });
  });

  it('leave a day to DEFAULT that has rows there already, report it, and make the others', async () => {
    const early = await event(day(1));
    const { created, leftToDefault } = await ensurePartitions(run, NOW);
    expect(leftToDefault).toEqual(['audit_events_20310315']);
    expect(created).toHaveLength(44);
    expect(await homeOf(early)).toBe('audit_events_default');
    expect(await homeOf(await event(day(1)))).toBe('audit_events_default');
  });

  it('are found by the generic plan of a prepared look-up without touching the others', async () => {
    await ensurePartitions(run, NOW);
    const id = await event(NOW);
    const plan = await withClient(connection, async (client) => {
      await client.query(`set plan_cache_mode = force_generic_plan`);
      await client.query('prepare look_up(uuid) as select * from audit_events where id = $1');
      const { rows } = await client.query(`explain (analyze, costs off, timing off) execute look_up('${id}')`);
      return rows.map((row: { 'QUERY PLAN': string }) => row['QUERY PLAN']).join('\n');
    });
    const partitions = await database.query(`select 1 from pg_inherits where inhparent = 'audit_events'::regclass`);
    expect(plan).toContain(`Subplans Removed: ${partitions.length - 1}`);
    expect(plan.match(/Scan using/g)).toHaveLength(1);
    expect(plan).toContain('audit_events_20310314_pkey');
  });
});

describe('dropping old days', () => {
  it('drops whole days before the limit, empties DEFAULT of what is older, and keeps the rest', async () => {
    await ensurePartitions(run, NOW, 3);
    const [before, limit, after, old, future] = [
      await event(NOW),
      await event(day(1)),
      await event(day(2)),
      await event(day(-300)),
      await event(day(300)),
    ];
    const { dropped, busy } = await dropPartitions(run, 'audit_events', new Date('2031-03-15T12:00:00Z'));
    expect(dropped).toContain('audit_events_20310314');
    expect(dropped).not.toContain('audit_events_20310315');
    expect(busy).toEqual([]);
    expect(await Promise.all([before, limit, after, old, future].map(homeOf))).toEqual([
      undefined,
      'audit_events_20310315',
      'audit_events_20310316',
      undefined,
      'audit_events_default',
    ]);
    expect(await database.query(`select 1 from pg_class where relname = 'issuances_20310314'`)).toHaveLength(1);
  });

  it('gives way to a long read, says so, and succeeds the next time', async () => {
    await ensurePartitions(run, NOW, 0);
    const drop = () => dropPartitions(run, 'audit_events', day(1));
    await withClient(connection, async (reader) => {
      await reader.query('begin');
      await reader.query('select count(*) from audit_events_20310314');
      expect((await drop()).busy).toContain('audit_events_20310314');
    });
    expect((await drop()).dropped).toContain('audit_events_20310314');
  });
});
