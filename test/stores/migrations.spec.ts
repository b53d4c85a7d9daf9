import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { clientConfig, withClient } from '../../src/platform/postgres/connection.js';
import type { EmbeddedConnection } from '../../src/platform/postgres/embedded-postgres.js';
import { migrate } from '../../src/platform/postgres/migrate.js';
import { migrations } from '../../src/platform/postgres/migrations.js';
import { emptyDatabase } from '../postgres.js';

const NOW = new Date('2026-11-20T10:00:00Z');

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

  it('wait for a connection string like the ones of an operator', async () => {
    const { host, port, user, database } = connection;
    const dsn = `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`;
    expect(clientConfig({ dsn })).toMatchObject({ connectionString: dsn });
    expect(await migrate({ dsn }, NOW)).toEqual([]);
  });
});
