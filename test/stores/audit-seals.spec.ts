import { createHash } from 'node:crypto';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AuditLog } from '../../src/audit/audit-log.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { AuditSeals } from '../../src/audit/audit-seals.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { loadConfig } from '../../src/config/load-config.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { sweep } from '../../src/platform/retention/expired-rows.js';
import { freshDatabase } from '../postgres.js';

const START = Date.parse('2030-01-01T00:00:00Z');
const HOUR = 3_600_000;
const at = (hours: number): Date => new Date(START + hours * HOUR);

class TestClock extends Clock {
  millis = START;
  now(): Date {
    return new Date(this.millis);
  }
}

let clock: TestClock;
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let replicas: TestingModule[];
let database: Database;

async function boot(auditDays = '0', refusalDays = '0'): Promise<TestingModule> {
  const module = await Test.createTestingModule({
    imports: [
      ConfigModule.of(
        loadConfig({
          env: { AUTHPLANE_RETENTION_AUDIT_DAYS: auditDays, AUTHPLANE_RETENTION_REFUSAL_DAYS: refusalDays },
        }),
      ),
      ClockModule.of(clock),
      PostgresModule.of(fresh.connection, { maxConns: 4, minConns: 0 }),
      AuditModule,
    ],
  }).compile();
  replicas.push(module);
  return module.init();
}

const seal = (module = replicas[0]): Promise<void> | undefined => module?.get(AuditSeals).sealClosedHours();
const verify = (from = 0, to = 1000, module = replicas[0]) => module!.get(AuditSeals).verify(at(from), at(to));
const sealed = async (): Promise<number> => (await database.query('select 1 from audit_seals')).length;

/** One event for each of the hours, by its number, and the clock at the end of the last of them and a grace. */
async function eventsIn(...hours: number[]): Promise<void> {
  for (const hour of hours) {
    clock.millis = at(hour).getTime() + 1;
    await replicas[0]!
      .get(AuditLog)
      .refused({ action: 'tested', reason: `in ${hour}`, detail: { n: 1.5, text: 'ä\u2028' } });
  }
  clock.millis = at(Math.max(...hours) + 1).getTime() + 10 * 60_000;
}

beforeEach(async () => {
  clock = new TestClock();
  fresh = await freshDatabase();
  replicas = [];
  database = (await boot()).get(Database);
});
afterEach(async () => {
  for (const module of replicas) await module.close();
  await fresh.drop();
});

describe('the audit', () => {
  it('is sealed hour by hour, ten minutes after its end, hours without events too', async () => {
    await eventsIn(0, 0, 3);
    clock.millis -= 1;
    await seal();
    expect(await sealed()).toBe(3);
    clock.millis += 1;
    await seal();
    await seal();
    expect(await sealed()).toBe(4);
    expect(await verify()).toMatchObject({ verified: 4, dropped: 0, problems: [], last: { hour: at(3) } });
  });

  it('is sealed once, however many replicas do it at once, and read alike by each', async () => {
    const other = await boot();
    await eventsIn(...Array.from({ length: 20 }, (_, hour) => hour));
    await Promise.all([seal(), seal(other), seal(), seal(other)]);
    await seal();
    expect(await sealed()).toBe(20);
    await database.query(
      `do $$ begin execute format('alter database %I set timezone to %L', current_database(), 'Asia/Kathmandu'); end $$`,
    );
    expect(await verify(0, 1000, await boot())).toMatchObject({ verified: 20, problems: [] });
  });

  it.each([
    ['an event was changed', `update audit_events set reason = 'nothing' where reason = 'in 2'`, 'changed'],
    ['a detail was changed', `update audit_events set detail = '{"n": 2}' where reason = 'in 2'`, 'changed'],
    [
      'its time was changed',
      `update audit_events set created_at = created_at - interval '1 ms' where reason = 'in 2'`,
      'changed',
    ],
    [
      'an event was removed',
      `delete from audit_events where reason = 'in 2' and id = (select min(id::text)::uuid from audit_events where reason = 'in 2')`,
      'changed',
    ],
    ['all of them were removed', `delete from audit_events where reason = 'in 2'`, 'gone'],
    [
      'an event was added',
      `insert into audit_events (id, action, created_at) select (left(id::text, 24) || 'ffffffffffff')::uuid, 'tested', created_at from audit_events where reason = 'in 2' limit 1`,
      'changed',
    ],
    ['its seal was removed', `delete from audit_seals where hour = '2030-01-01T02:00:00Z'`, 'unsealed'],
  ])('tells the hour in which %s', async (_what, sql, problem) => {
    await eventsIn(0, 1, 2, 2, 3, 9);
    await seal();
    await database.query(sql);
    const { problems, verified } = await verify();
    expect(problems[0]).toEqual({ hour: at(2), problem });
    expect(verified).toBe(problem === 'unsealed' ? 8 : 9);
  });

  it('tells a seal that was made anew by the one after it, and a whole chain by the last seal', async () => {
    await eventsIn(0, 1, 2, 3);
    await seal();
    const before = await verify();
    await database.query(`update audit_events set reason = 'nothing' where reason = 'in 2'`);
    await database.query(
      `delete from audit_seals where hour = '2030-01-01T03:00:00Z' or hour = '2030-01-01T02:00:00Z'`,
    );
    await seal();
    const after = await verify();
    expect(after.problems).toEqual([]);
    expect(after.last?.hash.equals(before.last!.hash)).toBe(false);
  });

  it('does not call a problem what retention has dropped, and calls one what was deleted besides', async () => {
    const keeping = await boot('2');
    await eventsIn(0, 30, 60, 100);
    await seal();
    await sweep((text, values) => database.query(text, values), clock.now(), {
      issuanceDays: 90,
      auditDays: 2,
      refusalDays: 0,
    });
    expect(await verify(0, 1000, keeping)).toMatchObject({ dropped: 2, verified: 99, problems: [] });
    await database.query('delete from audit_events');
    expect((await verify(0, 1000, keeping)).problems).toEqual([
      { hour: at(60), problem: 'gone' },
      { hour: at(100), problem: 'gone' },
    ]);
  });

  it('stands without the refusals that are kept for a shorter time, and only without those', async () => {
    const keeping = await boot('0', '2');
    const log = replicas[0]!.get(AuditLog);
    for (const hour of [0, 1, 60]) {
      await eventsIn(hour);
      for (const action of ['token.issue_denied', 'user.login_failed', 'authorize.denied'])
        await log.refused({ action, reason: `in ${hour}` });
    }
    clock.millis = at(80).getTime();
    await seal();
    const kept = { issuanceDays: 90, auditDays: 0, refusalDays: 2 };
    const run = (text: string, values?: readonly unknown[]) => database.query(text, values);
    // An event of the grace after an hour belongs to the next one; none of them is 48 hours old but those of the first two.
    const { rows } = await sweep(run, clock.now(), kept);
    expect(rows.refusals).toBe(6);
    expect((await sweep(run, clock.now(), kept)).rows.refusals).toBe(0);
    expect(await database.query(`select 1 from audit_events where action <> 'audit.dropped'`)).toHaveLength(3 + 3);
    expect(await verify(0, 1000, keeping)).toMatchObject({ verified: 79, dropped: 0, problems: [] });

    await database.query(`delete from audit_events where action = 'authorize.denied'`);
    expect((await verify(0, 1000, keeping)).problems).toEqual([{ hour: at(61), problem: 'changed' }]);
    await database.query(`update audit_events set reason = 'nothing' where action = 'tested' and reason = 'in 1'`);
    expect((await verify(0, 1000, keeping)).problems).toContainEqual({ hour: at(1), problem: 'changed' });
    await database.query(`update audit_seals set refusals_hash = hash where hour = $1`, [at(2)]);
    expect((await verify(0, 1000, keeping)).problems).toContainEqual({ hour: at(2), problem: 'gone' });
  });

  it('tells of what a purge dropped beyond the settings, and only as far as it did', async () => {
    const log = replicas[0]!.get(AuditLog);
    for (const hour of [0, 40, 70]) {
      await eventsIn(hour);
      await log.refused({ action: 'user.login_failed', reason: `in ${hour}` });
    }
    clock.millis = at(80).getTime();
    await seal();
    const run = (text: string, values?: readonly unknown[]) => database.query(text, values);
    const purged = await sweep(run, clock.now(), { issuanceDays: 1, auditDays: 2, refusalDays: 1 });
    expect([purged.rows.refusals, purged.dropped]).toEqual([2, expect.arrayContaining(['audit_events_20300101'])]);
    const missing = (problem: string) => [0, 1, 41].map((hour) => ({ hour: at(hour), problem }));
    expect(await verify()).toMatchObject({ verified: 76, dropped: 0, problems: missing('purged') });
    expect(await verify(42)).toMatchObject({ verified: 37, problems: [] });
    await sweep(run, clock.now(), { issuanceDays: 1, auditDays: 2, refusalDays: 1 });
    expect(await database.query(`select detail from audit_events where action = 'audit.dropped'`)).toEqual([
      { detail: { events_before: at(32).toISOString(), refusals_before: at(56).toISOString() } },
    ]);

    await database.query(`delete from audit_events where reason = 'in 70'`);
    expect((await verify(42)).problems).toEqual([
      { hour: at(70), problem: 'gone' },
      { hour: at(71), problem: 'gone' },
    ]);
    await database.query(`delete from audit_events where action = 'audit.dropped'`);
    expect((await verify()).problems).toEqual(expect.arrayContaining(missing('gone')));
  });

  it('is not as it was sealed because somebody writes that it was dropped', async () => {
    await eventsIn(0, 1);
    await seal();
    await database.query(`delete from audit_events where reason = 'in 0'`);
    const detail = { events_before: at(1000), refusals_before: at(1000) };
    await replicas[0]!.get(AuditLog).refused({ action: 'audit.dropped', reason: 'forged', detail });
    expect((await verify()).problems).toEqual([{ hour: at(0), problem: 'purged' }]);
  });

  it('reads the seals of before, in which refusals are not apart, and leaves their refusals', async () => {
    await eventsIn(0);
    clock.millis = at(0).getTime() + 2;
    await replicas[0]!.get(AuditLog).refused({ action: 'token.issue_denied', reason: 'in 0' });
    clock.millis = at(1).getTime() + 10 * 60_000;
    const text = await database.query<{ text: string }>(
      `select string_agg(jsonb_build_array(id, action, reason, actor_id, client_id, ip, request_id, detail,
         to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'))::text || chr(10), '' order by id) as text
       from audit_events where created_at < $1`,
      [at(1)],
    );
    const events = createHash('sha256').update(text[0]!.text).digest();
    const head = `authplane audit seal 1\n${'\0'.repeat(32)}\n${at(0).toISOString()}\n2\n`;
    const hash = createHash('sha256').update(head).update(events).digest();
    await database.query('insert into audit_seals (hour, events, hash, made_at) values ($1, 2, $2, $1)', [at(0), hash]);
    const run = (sql: string, values?: readonly unknown[]) => database.query(sql, values);
    await sweep(run, at(1000), { issuanceDays: 90, auditDays: 0, refusalDays: 2 });
    expect(await verify(0, 0, await boot('0', '2'))).toMatchObject({ verified: 1, problems: [] });
  });

  it('may wait for its seal for three hours, and no longer', async () => {
    await eventsIn(0);
    clock.millis = at(4).getTime();
    expect((await verify()).problems).toEqual([]);
    clock.millis += 1;
    expect((await verify()).problems).toEqual([{ hour: at(0), problem: 'unsealed' }]);
  });
});
