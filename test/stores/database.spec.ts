import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withClient } from '../../src/platform/postgres/connection.js';
import { DatabaseAway, isDatabaseAway, type Database } from '../../src/platform/postgres/database.js';
import { startEmbedded, type EmbeddedPostgres } from '../../src/platform/postgres/embedded-postgres.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { bumpPolicyEpoch, readPolicyEpoch } from '../../src/platform/postgres/policy-epoch.js';
import { SettingStore } from '../../src/platform/postgres/settings.store.js';
import { openDatabase, temporaryDirectory } from '../postgres.js';

const NOW = new Date('2026-11-20T10:00:00Z');
const directory = temporaryDirectory();
let server: EmbeddedPostgres;
let database: Database;
let end: () => Promise<void>;

/** A server of its own, because it is frozen and stopped. */
beforeAll(async () => {
  server = await startEmbedded({ path: `${directory.path}/postgres`, log: () => {}, settings: { fsync: 'off' } });
  await migrate(server.connection, NOW);
  ({ database, end } = await openDatabase(server.connection, { maxConns: 2, minConns: 1 }));
  await database.query('create table kept (n int primary key)');
});
afterAll(async () => {
  await end();
  await server.stop();
  directory.remove();
});

const backend = async (): Promise<number> =>
  (await database.query<{ pid: number }>('select pg_backend_pid() as pid'))[0]!.pid;

/** Stops every backend that serves the pool for the time of `work`. */
async function frozen<T>(work: () => Promise<T>): Promise<T> {
  const pids = await withClient(server.connection, async (client) => {
    const { rows } = await client.query(
      'select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    return rows.map((row: { pid: number }) => row.pid);
  });
  pids.forEach((pid) => process.kill(pid, 'SIGSTOP'));
  try {
    return await work();
  } finally {
    pids.forEach((pid) => process.kill(pid, 'SIGCONT'));
  }
}

describe('a statement', () => {
  it('that is refused costs no connection', async () => {
    const before = await backend();
    for (let i = 0; i < 3; i++)
      await expect(database.query('select no_such_column')).rejects.toMatchObject({ code: '42703' });
    expect(await backend()).toBe(before);
  });

  it('may be several without values, which are one transaction', async () => {
    await expect(database.query('insert into kept values (1); select 1/0')).rejects.toMatchObject({ code: '22012' });
    expect(await database.query('select n from kept where n = 1')).toEqual([]);
  });

  it('reads 64-bit integers as numbers', async () => {
    expect(await database.query('select epoch, (select count(*) from kept) as kept from policy_epoch')).toEqual([
      { epoch: 1, kept: 0 },
    ]);
  });

  it('whose connection broke has an unknown outcome, and the next one works', async () => {
    const lost = database.query('select pg_terminate_backend(pg_backend_pid())');
    await expect(lost).rejects.toMatchObject({ name: 'DatabaseAway', outcomeUnknown: true });
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('is answered within about two seconds by a database that is frozen, and its connection is not used again', async () => {
    const before = await backend();
    const start = performance.now();
    await frozen(() => expect(database.query('select 1')).rejects.toThrow(DatabaseAway));
    expect(performance.now() - start).toBeLessThan(3_900); // one wait, not two
    expect(await backend()).not.toBe(before);
  });

  it('through the ORM is not left behind on a connection that others get', async () => {
    const before = await backend();
    await frozen(() =>
      expect(database.manager.query('select 1').catch((error: unknown) => isDatabaseAway(error))).resolves.toBe(true),
    );
    expect(await backend()).not.toBe(before);
  });

  it('that waits too long for a lock is taken back by the server, so that it cannot happen later', async () => {
    await withClient(server.connection, async (other) => {
      await other.query('begin; lock table kept');
      await expect(database.query('insert into kept values (2)')).rejects.toMatchObject({ outcomeUnknown: false });
      await other.query('rollback');
    });
    expect(await database.query('select n from kept where n = 2')).toEqual([]);
  });

  it('that waited for a connection has its full time, and is taken back by the server too, at no cost to others', async () => {
    const busy = Promise.all([0, 1].map(() => database.query('select pg_sleep(0.85)')));
    const late = database.query<{ pid: number }>('select pg_backend_pid() as pid from pg_sleep(1.4)');
    const endless = database.query('select pg_sleep(60)').catch((error: unknown) => error);
    await busy;
    expect(await endless).toMatchObject({ outcomeUnknown: false, cause: { code: '57014' } });
    const [survivor] = await late;
    const pids = await Promise.all([0, 1].map(() => database.query('select pg_backend_pid() as pid, pg_sleep(0.2)')));
    expect(pids.flat()).toContainEqual(expect.objectContaining({ pid: survivor?.pid }));
  });
});

describe('a transaction', () => {
  it('is rolled back by an error, which passes as it is', async () => {
    const failure = new Error('changed my mind');
    const work = database.transaction(async (tx) => {
      await tx.query('insert into kept values (3)');
      throw failure;
    });
    await expect(work).rejects.toBe(failure);
    expect(await database.query('select n from kept where n = 3')).toEqual([]);
  });

  it('whose connection breaks in the middle has changed nothing, and says so', async () => {
    const work = database.transaction(async (tx) => {
      await tx.query('insert into kept values (4)');
      await tx.query('select pg_terminate_backend(pg_backend_pid())').catch(() => {});
      await tx.query('insert into kept values (5)');
    });
    await expect(work).rejects.toMatchObject({ name: 'DatabaseAway', outcomeUnknown: false });
    expect(await database.query('select n from kept where n in (4, 5)')).toEqual([]);
  });

  it.each(['40P01', '40001'])('that had to give way to another (%s) is run once more', async (state) => {
    let runs = 0;
    const work = database.transaction(async (tx) => {
      runs += 1;
      await tx.query(`insert into kept values (${runs}000)`);
      if (runs === 1) await tx.query(`do $$ begin raise 'gave way' using errcode = '${state}'; end $$`);
      await tx.query('delete from kept where n = 2000');
      return runs;
    });
    expect(await work).toBe(2);
    expect(await database.query('select n from kept where n in (1000, 2000)')).toEqual([]);
  });

  it('that had to give way twice has changed nothing, and may be tried again', async () => {
    let runs = 0;
    const work = database.transaction(async (tx) => {
      runs += 1;
      await tx.query(`do $$ begin raise 'gave way' using errcode = '40P01'; end $$`);
    });
    await expect(work).rejects.toMatchObject({ name: 'DatabaseAway', outcomeUnknown: false });
    expect(runs).toBe(2);
  });

  it('whose commit is not answered has an unknown outcome', async () => {
    await database.query(`create function die() returns trigger language plpgsql as
      $$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$`);
    await database.query(`create constraint trigger at_commit after insert on kept initially deferred for each row
      when (new.n = 6) execute function die()`);
    const work = database.transaction((tx) => tx.query('insert into kept values (6)'));
    await expect(work).rejects.toMatchObject({ name: 'DatabaseAway', outcomeUnknown: true });
  });
});

describe('a setting', () => {
  it('is read back as it was stored, and changes the policy epoch in the same transaction', async () => {
    const settings = new SettingStore(database);
    expect(await settings.get('dcr.mode')).toBeUndefined();
    const before = await readPolicyEpoch(database);
    await database.transaction((tx) => settings.set(tx, 'dcr.mode', { mode: 'open' }, NOW));
    await database.transaction((tx) => settings.set(tx, 'dcr.mode', { mode: 'admin_only' }, NOW));
    expect(await settings.get('dcr.mode')).toEqual({ mode: 'admin_only' });
    expect(await readPolicyEpoch(database)).toBe(before + 2);
  });

  it('that is rolled back changes nothing', async () => {
    const before = await readPolicyEpoch(database);
    const work = database.transaction(async (tx) => {
      await bumpPolicyEpoch(tx);
      throw new Error('no');
    });
    await expect(work).rejects.toThrow('no');
    expect(await readPolicyEpoch(database)).toBe(before);
  });
});

describe('while the database is stopped', () => {
  it('everything says so at once, nothing having been sent, and works again when it is back', async () => {
    await server.stop();
    await expect(database.query('select 1')).rejects.toThrow(DatabaseAway);
    await expect(database.query('select 1')).rejects.toMatchObject({ outcomeUnknown: false });
    await expect(database.transaction((tx) => tx.query('select 1'))).rejects.toMatchObject({ outcomeUnknown: false });
    expect(await database.manager.query('select 1').catch(isDatabaseAway)).toBe(true);
    server = await startEmbedded({ path: `${directory.path}/postgres`, log: () => {}, settings: { fsync: 'off' } });
    expect(await database.query('select 1 as one')).toEqual([{ one: 1 }]);
  });
});
