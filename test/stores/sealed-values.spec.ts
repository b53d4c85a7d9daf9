import { Logger } from '@nestjs/common';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { AesMaster } from '../../src/encryption/aes-master.js';
import { driversOf } from '../../src/encryption/drivers.js';
import type { Encryption } from '../../src/encryption/encryption.js';
import { sealingKeyOf } from '../../src/encryption/envelope.js';
import { SealedColumnStore } from '../../src/encryption/sealed-column.store.js';
import { UnknownSealingKeys } from '../../src/encryption/unknown-sealing-keys.js';
import { SystemClock } from '../../src/platform/clock/clock.js';
import type { Database } from '../../src/platform/postgres/database.js';
import { freshDatabase, openDatabase } from '../postgres.js';
import { plantSealedRows, sealedColumns } from '../sealed-rows.js';

const former = new AesMaster('ab'.repeat(32));
const CONNECTIONS = 40;

const closing: (() => Promise<void>)[] = [];
const logged: string[] = [];
let database: Database;
let values: SealedColumnStore;
let ids: string[];
let formerKey: string;

beforeAll(async () => {
  Logger.overrideLogger({ log: () => {}, error: () => {}, warn: (line: string) => logged.push(line) });
  const fresh = await freshDatabase();
  const opened = await openDatabase(fresh.connection);
  closing.push(fresh.drop, opened.end);
  database = opened.database;
  values = new SealedColumnStore(database);
  formerKey = (await former.keyInForce()).id;
});
beforeEach(async () => {
  logged.length = 0;
  await database.query('truncate connections, broker_providers, sign_in_providers, signing_keys, users cascade');
  ids = await plantSealedRows(database, former, CONNECTIONS);
});
afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

const put = (text: string, id = ids.at(-1)) =>
  database.query('update connections set sealed_credential = $1 where id = $2', [text, id]);

describe('at boot', () => {
  const told = async (encryption: Encryption): Promise<readonly string[]> => {
    await new UnknownSealingKeys(encryption, { all: sealedColumns }, values).onApplicationBootstrap();
    return logged;
  };

  it('values of a key that is not configured are told of, by column, with what is to be set', async () => {
    const lines = await told(new AesMaster('cd'.repeat(32)));
    expect(lines.map((line) => line.split(' ', 1)[0]).toSorted()).toEqual(
      sealedColumns.map(({ table, column }) => `${table}.${column}`).toSorted(),
    );
    for (const line of lines) {
      expect(line).toContain(`holds values sealed by ${formerKey}, which is not configured`);
      expect(line).toContain('AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV');
    }
  });

  it('one such value among the newest is enough', async () => {
    await put(await new AesMaster('ef'.repeat(32)).seal(Buffer.from('x'), 'a:b'));
    expect(await told(former)).toEqual([
      expect.stringMatching(/^connections.sealed_credential holds values sealed by aes_master\/\w{8}, which/),
    ]);
  });

  it('nothing is told where every key is there, in force or not, and Vault is not asked', async () => {
    await put('vt1.authplane.vault:v7:AAAA');
    const env = {
      AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
      AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'FORMER',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS: 'http://127.0.0.1:1',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME: 'authplane',
      AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV: 'TOKEN',
      FORMER: 'ab'.repeat(32),
      TOKEN: 'a-token',
    };
    expect(await told(driversOf(loadConfig({ env }), new SystemClock()).encryption)).toEqual([]);
    await put('vt1.another.vault:v7:AAAA');
    expect(await told(driversOf(loadConfig({ env }), new SystemClock()).encryption)).toHaveLength(1);
  });
});

describe('the count of values by key', () => {
  const counted = async (name: string): Promise<Record<string, number>> => {
    const column = sealedColumns.find((one) => one.column === name)!;
    const counts: Record<string, number> = {};
    for (const [head, count] of await values.countByHead(column)) {
      const id = sealingKeyOf(head)?.id ?? 'unknown';
      counts[id] = (counts[id] ?? 0) + count;
    }
    return counts;
  };

  it('tells envelopes of both drivers from what is none, however the text goes on', async () => {
    const texts = [
      `vt1.${'a.b-'.repeat(32)}.vault:v123456789:AAAA`,
      `v1.${'k'.repeat(64)}.AAAA`,
      `v1.${'k'.repeat(65)}.AAAA`,
      `vt1.${'k'.repeat(129)}.vault:v1:AAAA`,
      'v1.',
      'v1',
      'vt1.a.vault:',
      'vt1.a.vault:v1',
      'readable',
      '',
    ];
    for (const [n, text] of texts.entries()) await put(text, ids[n]);
    expect(await counted('sealed_credential')).toEqual({
      [formerKey]: CONNECTIONS - texts.length,
      [`vault_transit_encrypt/${'a.b-'.repeat(32)}/v123456789`]: 1,
      [`aes_master/${'k'.repeat(64)}`]: 1,
      unknown: 8,
    });
  });

  it('comes to an end with many rows, with and without a value', async () => {
    for (let planted = 0; planted < 45_000; planted += 3_000)
      await database.query(
        `insert into connections (id, user_id, provider_id, scopes, sealed_credential, created_at, updated_at)
         select gen_random_uuid(), gen_random_uuid(), provider_id, scopes, sealed_credential, created_at, updated_at
           from (select * from connections limit 1) one, generate_series(1, 3000)`,
      );
    expect(await counted('sealed_credential')).toEqual({ [formerKey]: CONNECTIONS + 45_000 });
    expect(await counted('sealed_access_token')).toEqual({ [formerKey]: CONNECTIONS / 2 });
  });
});
