import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Clock } from '../../src/platform/clock/clock.js';
import { EphemeralHealth } from '../../src/platform/ephemeral/ephemeral-health.js';
import { PostgresReplayStore } from '../../src/platform/ephemeral/postgres-replay.store.js';
import { RedisContinuity } from '../../src/platform/ephemeral/redis-continuity.js';
import { RedisReplayStore } from '../../src/platform/ephemeral/redis-replay.store.js';
import { RedisConnection } from '../../src/platform/ephemeral/redis.js';
import type { ReplayStore } from '../../src/platform/ephemeral/replay-store.js';
import { type Database, DatabaseAway } from '../../src/platform/postgres/database.js';
import { SettingStore } from '../../src/platform/postgres/settings.store.js';
import { freshDatabase, openDatabase } from '../postgres.js';
import { startRedis, type TestRedis, untilAnswered } from '../redis.js';
import { until } from '../until.js';

class SettableClock extends Clock {
  constructor(public at: Date) {
    super();
  }
  now(): Date {
    return this.at;
  }
}

const closing: (() => unknown)[] = [];
const connections: RedisConnection[] = [];
const logged: string[] = [];
const noon = new Date('2026-07-01T12:00:00Z');
let clock = new SettableClock(noon);
let database: Database;
let redis: TestRedis;
let reader: Redis;

beforeAll(async () => {
  Logger.overrideLogger({
    log: (line: string) => logged.push(line),
    warn: (line: string) => logged.push(line),
    error: (line: string) => logged.push(line),
  });
  const { connection, drop } = await freshDatabase();
  const opened = await openDatabase(connection);
  database = opened.database;
  redis = await startRedis();
  reader = new Redis(redis.url);
  reader.on('error', () => undefined);
  closing.push(
    drop,
    opened.end,
    () => redis.stop(),
    () => reader.disconnect(),
  );
});

afterEach(() => {
  redis.thaw();
  for (const connection of connections.splice(0)) connection.onApplicationShutdown();
  clock = new SettableClock(noon);
});

afterAll(async () => {
  for (const close of closing.toReversed()) await close();
});

/** A process of ours: its own connection to Redis and its own memory of it. */
async function redisProcess(
  on = database,
  url = redis.url,
): Promise<{ store: ReplayStore; connection: RedisConnection }> {
  const connection = new RedisConnection({ url });
  connections.push(connection);
  await connection.onModuleInit();
  const continuity = new RedisContinuity(connection, on, new SettingStore(on), clock);
  return { store: new RedisReplayStore(connection, continuity, new PostgresReplayStore(on, clock), clock), connection };
}

const seconds = (n: number) => new Date(clock.now().getTime() + n * 1000);

let count = 0;
/** One that nobody has claimed. */
const key = () => createHash('sha256').update(`key ${++count}`).digest();

const implementations: [name: string, create: () => Promise<ReplayStore>][] = [
  ['in Redis', async () => (await redisProcess()).store],
  ['in Postgres', async () => new PostgresReplayStore(database, clock)],
];

describe.each(implementations)('claims %s', (_, create) => {
  it('are won once', async () => {
    const store = await create();
    const [one, two] = [key(), key()];
    expect(await store.claim(one, seconds(60))).toBe(true);
    expect(await store.claim(one, seconds(60))).toBe(false);
    expect(await store.claim(two, seconds(60))).toBe(true);
    expect(await store.claim(one, seconds(600))).toBe(false);
  });

  it('are won 50 times when 2,000 come for 50 keys, 200 at once, in two processes', async () => {
    const stores = [await create(), await create()];
    const keys = Array.from({ length: 50 }, key);
    const won: number[] = [];
    for (let from = 0; from < 2000; from += 200) {
      // 40 for each of five keys: a queue longer than the pool's patience would be refused.
      const claims = Array.from({ length: 200 }, (__, i) =>
        stores[i % 2]?.claim(keys[from / 40 + (i % 5)] ?? key(), seconds(60)),
      );
      won.push(...(await Promise.all(claims)).flatMap((result, i) => (result ? [from / 40 + (i % 5)] : [])));
    }
    expect(won.toSorted((a, b) => a - b)).toEqual(keys.map((__, i) => i));
  });

  it('distinguish keys of any bytes', async () => {
    const store = await create();
    expect(await store.claim(Buffer.from([0, 255, 10]), seconds(60))).toBe(true);
    expect(await store.claim(Buffer.from([0, 255, 11]), seconds(60))).toBe(true);
    expect(await store.claim(Buffer.from([0, 255, 10]), seconds(60))).toBe(false);
  });

  it('are not forgotten by a restart of the server', async () => {
    const one = key();
    await (await create()).claim(one, seconds(60));
    const restarted = await create();
    expect(await restarted.claim(one, seconds(60))).toBe(false);
    expect(await restarted.forgotAt()).toBeUndefined();
  });
});

describe('claims in Postgres', () => {
  it('hold until they expire, and can then be won once more', async () => {
    const store = new PostgresReplayStore(database, clock);
    const one = key();
    await store.claim(one, seconds(60));
    clock.at = new Date(noon.getTime() + 59_999);
    expect(await store.claim(one, seconds(60))).toBe(false);
    clock.at = new Date(noon.getTime() + 60_000);
    const again = await Promise.all(Array.from({ length: 20 }, () => store.claim(one, seconds(60))));
    expect(again.filter(Boolean)).toHaveLength(1);
  });

  it('are swept when they have expired for every replica, five minutes of drift included', async () => {
    const store = new PostgresReplayStore(database, clock);
    clock.at = new Date('2027-01-01T00:00:00Z');
    await store.sweep(clock.now());
    await store.claim(key(), seconds(10));
    const lasting = key();
    await store.claim(lasting, seconds(600));
    expect(await store.sweep(seconds(309))).toBe(0);
    expect(await store.sweep(seconds(310))).toBe(1);
    expect(await store.sweep(seconds(310))).toBe(0);
    expect(await store.claim(lasting, seconds(600))).toBe(false);
  });
});

describe('claims in Redis', () => {
  it('are kept by Redis for as long as they must be, five minutes of drift included', async () => {
    const { store } = await redisProcess();
    const one = key();
    await store.claim(one, seconds(300));
    const left = await reader.pttl(`{authplane}:replay:${one.toString('base64url')}`);
    expect(left).toBeGreaterThan(599_000);
    expect(left).toBeLessThanOrEqual(600_000);
  });

  it('never last for ever, not even when they have expired already', async () => {
    const { store } = await redisProcess();
    const one = key();
    expect(await store.claim(one, seconds(-10))).toBe(true);
    const left = await reader.pttl(`{authplane}:replay:${one.toString('base64url')}`);
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(300_001);
  });

  it('are refused with 503 within about a second when Redis is frozen, and go on when it is not', async () => {
    const { store, connection } = await redisProcess();
    await store.claim(key(), seconds(60));
    redis.freeze();
    const start = performance.now();
    const claims = Array.from({ length: 50 }, () => refusalOf(store.claim(key(), seconds(60))));
    const away = { symptom: 'try-again', reason: 'redis_unavailable', status: 503 };
    for (const refusal of await Promise.all(claims)) expect(refusal).toMatchObject(away);
    expect(performance.now() - start).toBeLessThan(1_900); // one command's time-out, not two
    expect(await new EphemeralHealth(connection).state()).toBe('down');
    redis.thaw();
    await untilAnswered(connection);
    expect(await store.claim(key(), seconds(60))).toBe(true);
    expect(await new EphemeralHealth(connection).state()).toBe('ok');
  });

  it('are refused at once when Redis is gone, also by a server that never saw it', async () => {
    const { store } = await redisProcess();
    await store.claim(key(), seconds(60));
    await redis.kill();
    const late = await redisProcess();
    const start = performance.now();
    for (const asked of [store, late.store]) {
      const away = { symptom: 'try-again', reason: 'redis_unavailable' };
      expect(await refusalOf(asked.claim(key(), seconds(60)))).toMatchObject(away);
      expect(await refusalOf(asked.forgotAt())).toMatchObject(away);
    }
    expect(performance.now() - start).toBeLessThan(900); // not even one time-out
    await redis.start();
    await untilAnswered(late.connection);
    expect(await late.store.claim(key(), seconds(60))).toBe(true);
  });
});

describe('an outage of Redis', () => {
  it('is logged once, not for every attempt to connect, and without the password', async () => {
    await redis.kill();
    logged.length = 0;
    const connection = new RedisConnection({ url: redis.url.replace('//', '//user:s3cret@') });
    connections.push(connection);
    let attempts = 0;
    connection.client.on('close', () => attempts++);
    await connection.onModuleInit();
    await until('it has tried again and again', () => attempts > 3, true);
    expect(logged).toEqual([expect.stringMatching(/^Redis is away: connect ECONNREFUSED/)]);
    await redis.start();
  });
});

describe('a Redis that may evict', () => {
  const warnings = (): string[] => logged.filter((line) => line.includes('maxmemory-policy'));

  /** Answers come in order: what was asked when the connection was made has been told before the second. */
  async function untilTold(url = redis.url): Promise<void> {
    const { connection } = await redisProcess(database, url);
    await connection.client.ping();
    await connection.client.ping();
  }

  it('is warned of once when it answers, and one that keeps everything or says nothing is not', async () => {
    for (const [policy, limit, told] of [
      ['noeviction', '100mb', 0],
      ['allkeys-lru', '0', 0],
      ['volatile-lru', '100mb', 1],
    ] as const) {
      await redis.operate((operator) => operator.config('SET', 'maxmemory-policy', policy, 'maxmemory', limit));
      logged.length = 0;
      await untilTold();
      expect(warnings(), policy).toHaveLength(told);
    }
    expect(warnings()[0]).toBe(
      'Redis may drop what must not be forgotten (maxmemory-policy volatile-lru): set it to noeviction',
    );
    logged.length = 0;
    await untilTold(await redis.guestWithout('info'));
    expect(warnings()).toEqual([]);
    await redis.operate((operator) => operator.config('SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0'));
  });
});

describe('a Redis that came back empty', () => {
  it('is noticed before the next claim, told to every process, and not told again', async () => {
    await database.query('delete from settings');
    const [here, there] = [await redisProcess(), await redisProcess()];
    const one = key();
    expect(await here.store.claim(one, seconds(600))).toBe(true);
    expect(await there.store.forgotAt()).toBeUndefined();

    clock.at = new Date(noon.getTime() + 30_000);
    await redis.restart();
    await Promise.all([untilAnswered(here.connection), untilAnswered(there.connection)]);
    expect(await here.store.claim(one, seconds(600))).toBe(true);
    const row = await new SettingStore(database).get('redis_memory');
    expect(row).toMatchObject({ changed_at: clock.at.toISOString() });
    const noticed = clock.at;
    for (const { store } of [here, there]) expect(await store.forgotAt()).toEqual(noticed);

    clock.at = new Date(noon.getTime() + 90_000);
    const restarted = await redisProcess();
    for (const { store } of [restarted, there]) expect(await store.forgotAt()).toEqual(noticed);
  });

  it('is noticed by a server that was down meanwhile', async () => {
    await (await redisProcess()).store.claim(key(), seconds(600));
    await redis.restart();
    clock.at = new Date(noon.getTime() + 5_000);
    expect(await (await redisProcess()).store.forgotAt()).toEqual(clock.at);
  });

  it('is given no claim while Postgres cannot say whether it is the same', async () => {
    const { connection, drop } = await freshDatabase();
    const opened = await openDatabase(connection);
    const { store } = await redisProcess(opened.database);
    await opened.end();
    const one = key();
    expect(await refusalOf(store.claim(one, seconds(600)))).toBeInstanceOf(DatabaseAway);
    expect(await reader.exists(`{authplane}:replay:${one.toString('base64url')}`)).toBe(0);
    await drop();
  });

  it('is one that hides which it is, too: what was claimed before may be lost, and nothing since', async () => {
    await database.query('delete from settings');
    const { store, connection } = await redisProcess();
    const one = key();
    await store.claim(one, seconds(600));
    expect(await store.forgotAt()).toBeUndefined();
    connection.onApplicationShutdown();
    const url = await redis.guestWithout('info');
    const [here, there] = [await redisProcess(database, url), await redisProcess(database, url)];
    expect(await here.store.forgotAt()).toEqual(clock.now());
    expect(await here.store.claim(one, seconds(600))).toBe(true);
    await redis.restart();
    await redis.guestWithout('info');
    clock.at = new Date(noon.getTime() + 5_000);
    await Promise.all([untilAnswered(here.connection), untilAnswered(there.connection)]);
    expect([await here.store.claim(one, seconds(600)), await there.store.claim(one, seconds(600))]).toEqual([
      false,
      false,
    ]);
    expect(await there.store.forgotAt()).toEqual(noon);
    expect(await reader.keys('*replay*')).toEqual([]);
  });

  it('is noticed in the claim itself when it forgot without a restart, and is told to every process', async () => {
    await database.query('delete from settings');
    const [here, there] = [await redisProcess(), await redisProcess()];
    const one = key();
    expect(await here.store.claim(one, seconds(600))).toBe(true);
    expect(await there.store.claim(one, seconds(600))).toBe(false);

    clock.at = new Date(noon.getTime() + 30_000);
    await reader.flushall();
    const claims = Array.from({ length: 50 }, (_, i) => (i % 2 ? here : there).store.claim(one, seconds(600)));
    expect((await Promise.all(claims)).filter(Boolean)).toHaveLength(1);
    for (const { store } of [here, there, await redisProcess()]) expect(await store.forgotAt()).toEqual(clock.at);

    clock.at = new Date(noon.getTime() + 60_000);
    expect(await here.store.claim(one, seconds(600))).toBe(false);
    expect(await there.store.claim(key(), seconds(600))).toBe(true);
    expect(await there.store.forgotAt()).toEqual(new Date(noon.getTime() + 30_000));
  });

  it('costs no second round trip: a claim is one command', async () => {
    const { store, connection } = await redisProcess();
    await store.claim(key(), seconds(60));
    await store.claim(key(), seconds(60));
    const sent: string[] = [];
    const client = connection.client as Redis;
    const send = client.sendCommand.bind(client);
    client.sendCommand = (command, ...rest) => {
      sent.push(command.name);
      return send(command, ...rest);
    };
    clock.at = seconds(4.9);
    expect(await store.claim(key(), seconds(60))).toBe(true);
    await store.forgotAt();
    expect(sent).toEqual(['evalsha']);
    clock.at = seconds(0.1);
    await Promise.all(Array.from({ length: 20 }, () => store.claim(key(), seconds(60))));
    expect(sent.filter((name) => name === 'info')).toHaveLength(1);
  });

  it('is one that runs no scripts, too: claims are rows, and none is left to its memory', async () => {
    await database.query('delete from settings');
    const url = await redis.guestWithout('eval', 'evalsha');
    const { store } = await redisProcess(database, url);
    const one = key();
    expect([await store.claim(one, seconds(600)), await store.claim(one, seconds(600))]).toEqual([true, false]);
    await reader.flushall();
    expect(await store.claim(one, seconds(600))).toBe(false);
    expect(await store.forgotAt()).toBeUndefined();
    expect(logged.at(-1)).toMatch(/^Redis does not tell its run_id .* or runs no scripts/);
  });

  it('is not suspected when only the connection was lost', async () => {
    await database.query('delete from settings');
    const { store, connection } = await redisProcess();
    const one = key();
    await store.claim(one, seconds(600));
    const generation = connection.generation;
    await reader.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await until('the connection is another one', () => connection.generation > generation, true);
    await untilAnswered(connection);
    expect(await store.claim(one, seconds(600))).toBe(false);
    expect(await store.forgotAt()).toBeUndefined();
  });
});

async function refusalOf(answer: Promise<unknown>): Promise<unknown> {
  return answer.then(
    () => 'was not refused',
    (error: unknown) => error,
  );
}
