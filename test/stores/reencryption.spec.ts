import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { AuditModule } from '../../src/audit/audit.module.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { loadConfig } from '../../src/config/load-config.js';
import { AesMaster } from '../../src/encryption/aes-master.js';
import { ByEnvelope } from '../../src/encryption/by-envelope.js';
import { Encryption } from '../../src/encryption/encryption.js';
import { EncryptionModule } from '../../src/encryption/encryption.module.js';
import { Reencryption } from '../../src/encryption/reencryption.js';
import { ReencryptionModule } from '../../src/encryption/reencryption.module.js';
import { SealedColumnStore } from '../../src/encryption/sealed-column.store.js';
import { BreakerModule } from '../../src/platform/breaker/breaker.module.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { EphemeralModule } from '../../src/platform/ephemeral/ephemeral.module.js';
import { HealthModule } from '../../src/platform/health/health.module.js';
import { withClient } from '../../src/platform/postgres/connection.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { OutboxModule } from '../../src/platform/outbox/outbox.module.js';
import { TelemetryModule } from '../../src/platform/telemetry/telemetry.module.js';
import { QueueModule } from '../../src/platform/queue/queue.module.js';
import { freshDatabase, temporaryDirectory } from '../postgres.js';
import { openAll, plantSealedRows, sealedColumns } from '../sealed-rows.js';
import { startVaultServer, type VaultServer } from '../vault-transit-server.js';
import { vaultDriver } from '../vault.js';

const former = 'ab'.repeat(32);
const current = 'cd'.repeat(32);
const CONNECTIONS = 240;
/** Each credential, every second access token, two client secrets, a refresh token of a person and a private key. */
const VALUES = CONNECTIONS + CONNECTIONS / 2 + 4;

const directory = temporaryDirectory();
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let vault: VaultServer;
let booted: TestingModule[];
let database: Database;
let ids: string[];

interface Replica {
  readonly reencryption: Reencryption;
  readonly encryption: Encryption;
  readonly values: SealedColumnStore;
}

const keys = { FORMER: former, CURRENT: current };
const aes = (env: string, old?: string): string =>
  `data_encryption: { driver: aes_master, aes_master: { key_env: ${env}${old ? `, old_key_env: ${old}` : ''} } }`;
const rotated = aes('CURRENT', 'FORMER');
const transit = (): string =>
  `data_encryption: { driver: vault_transit_encrypt, aes_master: { key_env: FORMER },
     vault_transit_encrypt: { address: '${vault.address}', key_name: authplane, token_env: VAULT_TOKEN } }`;

/** A replica without its background work: a test says when what happens. */
async function boot(yaml: string): Promise<Replica> {
  const yamlPath = join(directory.path, 'authplane.yaml');
  writeFileSync(yamlPath, yaml);
  const config = loadConfig({
    env: { ...keys, VAULT_TOKEN: vault.root, AUTHPLANE_SESSION_SECRET: 'x'.repeat(48) },
    yamlPath,
    cwd: directory.path,
  });
  const module = await Test.createTestingModule({
    imports: [
      ConfigModule.of(config),
      BreakerModule,
      ClockModule.of(),
      PostgresModule.of(fresh.connection, { maxConns: 8, minConns: 0 }),
      EphemeralModule,
      TelemetryModule,
      HealthModule,
      QueueModule.of(fresh.connection),
      OutboxModule,
      AuditModule,
      EncryptionModule,
      ReencryptionModule.of(sealedColumns),
    ],
  }).compile();
  booted.push(module);
  database = module.get(Database);
  return {
    reencryption: module.get(Reencryption),
    encryption: module.get(Encryption),
    values: module.get(SealedColumnStore, { strict: false }),
  };
}

const steps = (count: number): (() => boolean) => {
  let made = 0;
  return () => made++ >= count;
};
const totals = async ({ reencryption }: Replica) => {
  const record = await reencryption.latest();
  const columns = Object.values(record?.progress ?? {});
  const sum = (member: 'moved' | 'left' | 'unreadable'): number =>
    columns.reduce((total, column) => total + column[member], 0);
  return {
    moved: sum('moved'),
    left: sum('left'),
    unreadable: sum('unreadable'),
    finished: record?.finishedAt != null,
  };
};
const keysOfValues = async ({ reencryption }: Replica) => {
  const counts: Record<string, number> = {};
  for (const byKey of Object.values(await reencryption.valuesByKey()))
    for (const [key, count] of Object.entries(byKey)) counts[key] = (counts[key] ?? 0) + count;
  return counts;
};

let logged: string[];
beforeAll(async () => {
  fresh = await freshDatabase();
});
beforeEach(async () => {
  logged = [];
  for (const level of ['warn', 'log'] as const)
    vi.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => void logged.push(JSON.stringify(line)));
  vault = await startVaultServer();
  booted = [];
  await boot(aes('FORMER'));
  await database.query(
    'truncate reencryptions, outbox, connections, broker_providers, sign_in_providers, signing_keys, users, audit_events cascade',
  );
  ids = await plantSealedRows(database, new AesMaster(former), CONNECTIONS);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await Promise.all(booted.map((module) => module.close()));
  await vault.close();
});
afterAll(async () => {
  await fresh.drop();
  directory.remove();
});

describe('the declared columns', () => {
  it('are all that is sealed by a key of the server', async () => {
    const rows = await database.query<{ name: string }>(
      `select table_name || '.' || column_name as name from information_schema.columns
       where table_schema = 'public' and column_name like '%sealed%'`,
    );
    const elsewhere = [
      'connect_flows.sealed_verifier', // lives for ten minutes
      'families.sealed_answer', // under a key from the token that was spent
    ];
    const declared = sealedColumns.map(({ table, column }) => `${table}.${column}`);
    expect(rows.map(({ name }) => name).toSorted()).toEqual([...declared, ...elsewhere].toSorted());
  });
});

describe('re-encryption', () => {
  it('moves every value of every column to the new key, after which the former one is not needed', async () => {
    const replica = await boot(rotated);
    const { id, targetKey } = await replica.reencryption.begin();
    await replica.reencryption.run();
    expect(await totals(replica)).toEqual({ moved: VALUES, left: 0, unreadable: 0, finished: true });
    expect(await keysOfValues(replica)).toEqual({ [targetKey]: VALUES });
    expect(await openAll(database, new AesMaster(current))).toEqual({ good: VALUES, bad: [] });
    const audit = await database.query('select action, detail from audit_events order by id');
    expect(audit).toEqual([
      { action: 'encryption.reencryption_started', detail: { id, key: targetKey } },
      { action: 'encryption.reencryption_finished', detail: { id, key: targetKey, moved: VALUES, unreadable: 0 } },
    ]);
  });

  it('touches nothing else of a row: a refresh that is under way still finds its version', async () => {
    const rest = `select id, version, updated_at, scopes from connections order by id`;
    const before = await database.query(rest);
    const replica = await boot(rotated);
    await replica.reencryption.begin();
    await replica.reencryption.run();
    expect(await database.query(rest)).toEqual(before);
  });

  it(
    'moves values from one driver to the other and back, and to a rotated key of Vault',
    { timeout: 90_000 },
    async () => {
      await database.query('delete from connections where id > $1', [ids[109]]);
      const values = 110 + 55 + 4;
      const toVault = await boot(transit());
      await toVault.reencryption.begin();
      await toVault.reencryption.run();
      expect(await keysOfValues(toVault)).toEqual({ 'vault_transit_encrypt/authplane/v1': values });
      vault.rotate('authplane');
      await toVault.reencryption.begin();
      await toVault.reencryption.run();
      expect(await keysOfValues(toVault)).toEqual({ 'vault_transit_encrypt/authplane/v2': values });
      vault.raiseMinimum('authplane', 2);
      expect(await openAll(database, vaultDriver(vault).driver)).toEqual({ good: values, bad: [] });

      const back = await boot(transit().replace('driver: vault_transit_encrypt', 'driver: aes_master'));
      await back.reencryption.begin();
      await back.reencryption.run();
      expect(await openAll(database, new AesMaster(former))).toEqual({ good: values, bad: [] });
    },
  );

  it('goes on in another process where it was, and does nothing twice', async () => {
    const one = await boot(rotated);
    const { id } = await one.reencryption.begin();
    await one.reencryption.run(steps(4));
    const halfway = await totals(one);
    expect(halfway.moved).toBeGreaterThan(100);
    expect(halfway).toMatchObject({ finished: false });
    const both = new ByEnvelope(new AesMaster(current, former), []);
    expect((await openAll(database, both)).bad).toEqual([]);

    const other = await boot(rotated);
    expect((await other.reencryption.begin()).id).toBe(id);
    await other.reencryption.run();
    expect(await totals(other)).toEqual({ moved: VALUES, left: 0, unreadable: 0, finished: true });
  });

  it('is one, whoever begins it: two replicas at once move each value once', async () => {
    const [one, other] = [await boot(rotated), await boot(rotated)];
    const records = await Promise.all([one, other, one, other].map(({ reencryption }) => reencryption.begin()));
    expect(new Set(records.map(({ id }) => id)).size).toBe(1);
    await Promise.all([one, other, one, other].map(({ reencryption }) => reencryption.run()));
    await one.reencryption.run(); // whoever found it locked has gone away
    expect(await totals(one)).toEqual({ moved: VALUES, left: 0, unreadable: 0, finished: true });
    expect(await database.query('select id from reencryptions')).toHaveLength(1);
  });

  it('does not overwrite a value that became newer after it was read', async () => {
    const { values, encryption } = await boot(rotated);
    const column = sealedColumns.find(({ column: name }) => name === 'sealed_credential')!;
    const { stale } = await values.stretch(column, undefined, (await encryption.keyInForce()).prefix, 10);
    await database.query(`update connections set sealed_credential = 'newer' where id = $1`, [stale[3]?.id]);
    const resealed = stale.map(({ id, sealed }) => ({ id, sealed, resealed: `resealed ${id}` }));
    expect(await values.replace(column, resealed)).toBe(9);
    const [row] = await database.query('select sealed_credential from connections where id = $1', [stale[3]?.id]);
    expect(row).toEqual({ sealed_credential: 'newer' });
  });

  it('does not wait for a row that a refresh holds, and comes back for it', async () => {
    const replica = await boot(rotated);
    await replica.reencryption.begin();
    const held = ids[150] ?? '';
    await withClient(fresh.connection, async (refresh) => {
      await refresh.query('begin');
      await refresh.query('select 1 from connections where id = $1 for no key update', [held]);
      await replica.reencryption.run(steps(6));
      expect(await totals(replica)).toMatchObject({ finished: false });
      const [row] = await database.query<{ sealed: string }>(
        'select sealed_credential as sealed from connections where id = $1',
        [held],
      );
      expect(row?.sealed.startsWith((await new AesMaster(former).keyInForce()).prefix)).toBe(true);
      await refresh.query('commit');
    });
    await replica.reencryption.run();
    expect(await totals(replica)).toEqual({ moved: VALUES, left: 0, unreadable: 0, finished: true });
  });

  it('counts and names what does not open, leaves it as it is, and moves the rest', async () => {
    const [moved, broken] = [ids[7], ids[150]];
    await database.query(
      `update connections set sealed_credential = (select sealed_credential from connections where id = $1) where id = $2`,
      [ids[8], moved],
    );
    await database.query(`update connections set sealed_credential = 'nothing sealed' where id = $1`, [broken]);
    const replica = await boot(rotated);
    await replica.reencryption.begin();
    await replica.reencryption.run();
    expect(await totals(replica)).toEqual({ moved: VALUES - 2, left: 0, unreadable: 2, finished: true });
    expect((await replica.reencryption.latest())?.lastError).toMatch(/^2 values do not open/);
    expect((await openAll(database, new AesMaster(current))).bad).toEqual(
      [moved, broken].map((id) => `connections.sealed_credential ${id}`),
    );
    for (const id of [moved, broken]) expect(logged.some((line) => line.includes(String(id)))).toBe(true);
    expect(await keysOfValues(replica)).toMatchObject({ unknown: 1 });
  });

  it('stops when Vault goes away, says so, and goes on when it is back', async () => {
    const replica = await boot(transit());
    await replica.reencryption.begin();
    await replica.reencryption.run(steps(2));
    const { moved } = await totals(replica);
    void vault.turnsAfter(20, 'sealed'); // in the middle of a step
    await expect(replica.reencryption.run()).rejects.toThrow('vault_unavailable');
    expect(await totals(replica)).toEqual({ moved, left: 0, unreadable: 0, finished: false });
    expect((await replica.reencryption.latest())?.lastError).toContain('vault_unavailable: sealed');
    vault.state = 'open';
    await replica.reencryption.run();
    expect(await totals(replica)).toEqual({ moved: VALUES, left: 0, unreadable: 0, finished: true });
    expect((await replica.reencryption.latest())?.lastError).toBeUndefined();
  });

  it('is not carried out by a replica that still seals under another key', async () => {
    const [ahead, behind] = [await boot(rotated), await boot(aes('FORMER', 'CURRENT'))];
    await ahead.reencryption.begin();
    await expect(behind.reencryption.run()).rejects.toThrow('give all replicas the same key');
    expect(await totals(behind)).toEqual({ moved: 0, left: 0, unreadable: 0, finished: false });
    await ahead.reencryption.run();
    expect(await totals(ahead)).toMatchObject({ moved: VALUES, finished: true });
  });

  it('towards a key that is no longer in force ends when the next one begins', async () => {
    const one = await boot(rotated);
    const first = await one.reencryption.begin();
    await one.reencryption.run(steps(3));
    const other = await boot(transit().replace('FORMER', 'CURRENT, old_key_env: FORMER'));
    const second = await other.reencryption.begin();
    expect(second.id).not.toBe(first.id);
    await other.reencryption.run();
    expect(await keysOfValues(other)).toEqual({ 'vault_transit_encrypt/authplane/v1': VALUES });
    const records = await database.query('select id, last_error from reencryptions order by id');
    expect(records).toEqual([
      { id: first.id, last_error: 'another key came into force' },
      { id: second.id, last_error: null },
    ]);
  });

  it('is in nobody’s way: while values are read and replaced, each opens', async () => {
    const replica = await boot(rotated);
    await replica.reencryption.begin();
    let over = false;
    const failures: unknown[] = [];
    const vend = async (): Promise<void> => {
      for (let at = 0; !over; at = (at + 7) % ids.length) {
        const row = { id: ids[at] ?? '' };
        const [read] = await database.query<{ user_id: string; provider_id: string; sealed: string; version: number }>(
          'select user_id, provider_id, sealed_credential as sealed, version::int from connections where id = $1',
          [row.id],
        );
        if (!read) throw new Error('a row is gone');
        const context = `connection-credential:${read.user_id}/${read.provider_id}/${row.id}`;
        await replica.encryption.open(read.sealed, context).catch((error: unknown) => failures.push(error));
        const newer = await replica.encryption.seal(Buffer.from(`newer ${read.version}`), context);
        const written = await database.query(
          `update connections set sealed_credential = $3, version = version + 1 where id = $1 and version = $2 returning 1`,
          [row.id, read.version, newer],
        );
        if (written.length === 0) failures.push('a version was lost');
      }
    };
    const vending = vend();
    await replica.reencryption.run().finally(() => (over = true));
    await vending;
    expect(failures).toEqual([]);
    expect(await totals(replica)).toMatchObject({ left: 0, unreadable: 0, finished: true });
    expect(await openAll(database, new AesMaster(current))).toEqual({ good: VALUES, bad: [] });
  });
});
