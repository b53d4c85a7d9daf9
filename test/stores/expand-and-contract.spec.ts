import type { MigrationInterface, QueryRunner } from 'typeorm';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { withClient } from '../../src/platform/postgres/connection.js';
import type { EmbeddedConnection } from '../../src/platform/postgres/embedded-postgres.js';
import { migrations } from '../../src/platform/postgres/migrations.js';
import { startTestApp } from '../app.js';
import { aConfidentialClient, aResource, postForm } from '../builders.js';
import { complaints, runAll, type Migration } from '../expansion.js';
import { copyOf, emptyDatabase } from '../postgres.js';

/** The release before, and the last migration that it has. */
const LAST_RELEASE = { version: '0.1.0', migration: 'OverdueRevocations1700000000013' };

const at = migrations.findIndex((each) => new each().name === LAST_RELEASE.migration);
const released = migrations.slice(0, at + 1);

let before: Awaited<ReturnType<typeof emptyDatabase>>;
beforeAll(async () => {
  before = await emptyDatabase();
  await runAll(before.connection, released);
});
afterAll(() => before.drop());

let connection: EmbeddedConnection;
let drop: () => Promise<void>;
beforeEach(async () => ({ connection, drop } = await copyOf(before.connection)));
afterEach(() => drop());

let count = 0;
/** A migration after all others. */
function migrationOf(sql: string, more: { lastUsed?: Record<string, string>; transaction?: boolean } = {}): Migration {
  count += 1;
  const name = `Tried${1_800_000_000_000 + count}`;
  return class implements MigrationInterface {
    static readonly lastUsed = more.lastUsed;
    name = name;
    transaction = more.transaction;

    async up(runner: QueryRunner): Promise<void> {
      await runner.query(sql);
    }

    async down(): Promise<void> {}
  };
}

const judge = (sql: string, more?: Parameters<typeof migrationOf>[1]): Promise<string[]> =>
  complaints(connection, [migrationOf(sql, more)], LAST_RELEASE.version);

describe('migrations since the last release', () => {
  it('leave everything to the processes of that release that they read and write, and do not make them wait', async () => {
    expect(at).toBeGreaterThan(0);
    expect(await complaints(connection, migrations, LAST_RELEASE.version)).toEqual([]);
  });

  it.each([
    ['drop table settings', 'table settings: is gone'],
    ['alter table users drop column role', 'column users.role: is gone'],
    ['alter table users rename column role to kind', 'column users.role: is gone'],
    ['alter table settings rename to options', 'table settings: is gone'],
    ['alter table families alter column generation type bigint', 'column families.generation: was integer'],
    ['alter table users alter column email set not null', 'column users.email: was text, optional'],
    ['alter table users alter column name drop default', 'column users.name: was text, required, with default'],
    ['alter table users add column tenant text not null', 'column users.tenant: must be given'],
    ['alter table users add column mark uuid default gen_random_uuid()', 'table users: is rewritten'],
    [`alter table users add constraint named check (name <> '')`, 'rule users.named: may refuse'],
    ['create unique index concurrently users_name on users (name)', 'rule users.users_name: may refuse', false],
    [
      'alter table families add foreign key (user_id) references users',
      'rule families.families_user_id_fkey: may refuse',
    ],
    ['create index issuances_kid on issuances (kid)', 'index issuances_kid: is not made concurrently'],
    ['create index if not exists families_jkt on families (jkt)', 'index families_jkt: is not made concurrently'],
    [`update users set role = 'user'`, 'table users: many rows are changed at once'],
    ['delete from sessions', 'table sessions: many rows are deleted at once'],
    ['lock table families in exclusive mode', 'table families: is locked'],
  ])('could not be: %s', async (sql, complaint, transaction = true) => {
    expect(await judge(sql, { transaction })).toEqual(
      expect.arrayContaining([expect.stringMatching(`^${complaint.replaceAll('.', '\\.')}`)]),
    );
  });

  it.each([
    ['create table marks (id uuid primary key, user_id uuid not null); create index marks_user on marks (user_id)'],
    ['alter table users add column nickname text, add column seen boolean not null default false'],
    ['alter table users add column level integer constraint at_least_one check (level > 0)'],
    ['alter table users drop constraint users_role_check'],
    ['create index audit_seals_early on audit_seals (hour)'],
    ['create index issuances_kid on only issuances (kid)'],
    ['create function told() returns trigger language plpgsql as $$ begin delete from outbox; return null; end $$'],
  ])('may be: %s', async (sql) => {
    expect(await judge(sql)).toEqual([]);
  });

  it('may make an index of a large table concurrently, outside a transaction', async () => {
    expect(await judge('create index concurrently families_jkt on families (jkt)', { transaction: false })).toEqual([]);
  });

  it('may take away what a release before the last one used last, and nothing that the last one uses', async () => {
    const sql = 'alter table users drop column role';
    const complaint = ['column users.role: is gone, and the release before uses it'];
    const lastUsed = (version: string) => ({ lastUsed: { 'column users.role': version } });
    expect(await judge(sql, lastUsed('0.0.9'))).toEqual([]);
    await drop();
    ({ connection, drop } = await copyOf(before.connection));
    expect(await judge(sql, lastUsed('0.1.0'))).toEqual(complaint);
  });
});

describe('while somebody holds the lock of the migrations', () => {
  it('servers that run go on giving tokens', async () => {
    const app = await startTestApp({ settings: { CLIENT_CREDENTIALS_ENABLED: 'true' } });
    const [resource, client] = [
      await aResource(app),
      await aConfidentialClient(app, {
        grant_types: ['client_credentials'],
        redirect_uris: [],
        scope: 'notes:read',
      }),
    ];
    await withClient(app.connection, async (holder) => {
      await holder.query(`select pg_advisory_lock(hashtext('authplane'), hashtext('migrations'))`);
      const form = { grant_type: 'client_credentials', resource: resource.uri };
      expect((await postForm(app, '/oauth/token', form, client)).status).toBe(200);
    });
    await app.close();
  });
});
