import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientConfig, withClient } from '../../src/platform/postgres/connection.js';
import type { EmbeddedConnection } from '../../src/platform/postgres/embedded-postgres.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { migrations } from '../../src/platform/postgres/migrations.js';
import { RefusalsApart0020 } from '../../src/platform/postgres/migrations/0020-refusals-apart.js';
import { ByAge0021 } from '../../src/platform/postgres/migrations/0021-by-age.js';
import { emptyDatabase } from '../postgres.js';
import { until } from '../until.js';

const NOW = new Date('2026-11-20T10:00:00Z');

/** Comes back when somebody waits to have a table alone. */
async function untilLocked(client: pg.Client, table: string): Promise<void> {
  const waiting = `select 1 from pg_locks where relation = '${table}'::regclass and mode = 'AccessExclusiveLock' and not granted`;
  while ((await client.query(waiting)).rows.length === 0);
}

describe('migrations', () => {
  let connection: EmbeddedConnection;
  let drop: () => Promise<void>;

  beforeAll(async () => ({ connection, drop } = await emptyDatabase()));
  afterAll(() => drop());

  it('run once when two replicas start together, and the other one waits for them', async () => {
    const [first, second] = await Promise.all([migrate(connection, NOW), migrate(connection, NOW)]);
    expect([first.length, second.length].toSorted()).toEqual([0, migrations.length]);
  });

  it('find nothing to do the next time, and give the lock back', async () => {
    expect(await migrate(connection, NOW)).toEqual([]);
    const { rows } = await withClient(connection, (client) =>
      client.query(`select count(*)::int as locks from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`),
    );
    expect(rows).toEqual([{ locks: 0 }]);
  });

  it('leave partitions from today on, fourteen days ahead', async () => {
    const { rows } = await withClient(connection, (client) =>
      client.query(`select min(relname) as first, max(relname) as last, count(*)::int as days from pg_class
        where relname ~ '^issuances_[0-9]{8}$' and relkind = 'r'`),
    );
    expect(rows).toEqual([{ first: 'issuances_20261120', last: 'issuances_20261204', days: 15 }]);
  });

  it('keep nobody waiting behind them while somebody reads what they change, and go on when the reader has done', async () => {
    const other = await emptyDatabase();
    const reading = 'select from audit_seals';
    try {
      const before = migrations.indexOf(RefusalsApart0020);
      await migrate(other.connection, NOW, before);
      await withClient(other.connection, async (longReader) => {
        await longReader.query(`begin; ${reading}`);
        const migrated = migrate(other.connection, NOW);
        await withClient(other.connection, async (request) => {
          await request.query(`set statement_timeout = '5s'`);
          await untilLocked(request, 'audit_seals');
          await request.query(reading);
          await untilLocked(request, 'audit_seals');
          await request.query(reading);
        });
        await longReader.query('commit');
        expect(await migrated).toEqual(migrations.slice(before).map((Migration) => new Migration().name));
      });
    } finally {
      await other.drop();
    }
  });

  it('let a process of the release before start, which waits for them inside a statement', async () => {
    const other = await emptyDatabase();
    const lock = (count: number) => async () => {
      const held = `select 1 from pg_locks where locktype = 'advisory'
        and database = (select oid from pg_database where datname = current_database())`;
      const { rows } = await withClient(other.connection, (client) => client.query(held));
      return rows.length === count;
    };
    try {
      const before = migrations.indexOf(ByAge0021);
      await migrate(other.connection, NOW, before);
      await withClient(other.connection, async (longReader) => {
        await longReader.query('begin isolation level repeatable read; select');
        const migrated = migrate(other.connection, NOW);
        await until('the migration has the lock', lock(1), true);
        const started = withClient(other.connection, async (former) => {
          await former.query(`select pg_advisory_lock(hashtext('authplane'), hashtext('migrations'))`);
          await former.query('select pg_advisory_unlock_all()');
        });
        await until('the other one waits', lock(2), true);
        await longReader.query('commit');
        await started;
        expect(await migrated).toEqual(migrations.slice(before).map((Migration) => new Migration().name));
      });
    } finally {
      await other.drop();
    }
  });

  it('wait for a connection string like the ones of an operator', async () => {
    const { host, port, user, database } = connection;
    const dsn = `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
    expect(clientConfig({ dsn })).toMatchObject({ connectionString: dsn });
    expect(await migrate({ dsn }, NOW)).toEqual([]);
  });
});
