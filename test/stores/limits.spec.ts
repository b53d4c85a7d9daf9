import { Logger } from '@nestjs/common';
import { Redis } from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { BoundedMemoryLimiter } from '../../src/platform/ephemeral/bounded-memory-limiter.js';
import type { Limit, Limits } from '../../src/platform/ephemeral/limits.js';
import { ProcessLimits } from '../../src/platform/ephemeral/process-limits.js';
import { RedisLimits } from '../../src/platform/ephemeral/redis-limits.store.js';
import { RedisConnection } from '../../src/platform/ephemeral/redis.js';
import { startRedis, type TestRedis, untilAnswered } from '../redis.js';

let redis: TestRedis;
let connection: RedisConnection;
let other: RedisConnection;

beforeAll(async () => {
  Logger.overrideLogger(false);
  redis = await startRedis();
  connection = new RedisConnection({ url: redis.url });
  other = new RedisConnection({ url: redis.url });
  await Promise.all([connection.onModuleInit(), other.onModuleInit()]);
});

afterAll(async () => {
  connection.onApplicationShutdown();
  other.onApplicationShutdown();
  await redis.stop();
});

let count = 0;
/** A limit nobody has taken from. */
function limit(numbers: Partial<Limit> = {}): Limit {
  return { name: `test-${++count}`, points: 3, windowSeconds: 60, ...numbers };
}

async function takeTimes(limits: Limits, times: number, of: Limit, key = 'somebody'): Promise<boolean[]> {
  const verdicts = [];
  for (let i = 0; i < times; i++) verdicts.push((await limits.take(of, key)).allowed);
  return verdicts;
}

const implementations: [name: string, create: () => Limits][] = [
  ['in Redis', () => new RedisLimits(connection)],
  ['in the process', () => new ProcessLimits()],
];

describe.each(implementations)('limits %s', (_, create) => {
  it('allow as many as there are points, then say how long to wait', async () => {
    const limits = create();
    const of = limit();
    expect(await takeTimes(limits, 4, of)).toEqual([true, true, true, false]);
    const { retryAfterSeconds } = await limits.take(of, 'somebody');
    expect(retryAfterSeconds).toBeGreaterThan(55);
    expect(retryAfterSeconds).toBeLessThanOrEqual(60);
  });

  it('allow exactly as many when all come at once', async () => {
    const limits = create();
    const of = limit({ points: 20 });
    const verdicts = await Promise.all(Array.from({ length: 200 }, () => limits.take(of, 'somebody')));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(20);
  });

  it('count each key and each name by itself', async () => {
    const limits = create();
    const [one, two] = [limit({ points: 1 }), limit({ points: 1 })];
    expect(await takeTimes(limits, 2, one, 'a')).toEqual([true, false]);
    expect(await takeTimes(limits, 1, one, 'b')).toEqual([true]);
    expect(await takeTimes(limits, 1, two, 'a')).toEqual([true]);
  });

  it('are looked at without taking a point', async () => {
    const limits = create();
    const of = limit({ points: 1 });
    expect(await limits.peek(of, 'somebody')).toEqual({ allowed: true, retryAfterSeconds: 0 });
    expect(await limits.peek(of, 'somebody')).toEqual({ allowed: true, retryAfterSeconds: 0 });
    expect(await limits.take(of, 'somebody')).toEqual({ allowed: true, retryAfterSeconds: 0 });
    expect(await limits.peek(of, 'somebody')).toMatchObject({ allowed: false });
  });

  it('lock for the longer time from the last point on, and tell the real time that is left', async () => {
    const limits = create();
    const of = limit({ points: 3, windowSeconds: 60, blockSeconds: 900 });
    expect(await takeTimes(limits, 3, of)).toEqual([true, true, true]);
    for (const verdict of [await limits.peek(of, 'somebody'), await limits.take(of, 'somebody')]) {
      expect(verdict.allowed).toBe(false);
      expect(verdict.retryAfterSeconds).toBeGreaterThan(895);
      expect(verdict.retryAfterSeconds).toBeLessThanOrEqual(900);
    }
  });

  it('are unlocked by clearing', async () => {
    const limits = create();
    const of = limit({ points: 1, blockSeconds: 900 });
    expect(await takeTimes(limits, 2, of)).toEqual([true, false]);
    await limits.clear(of, 'somebody');
    expect(await limits.peek(of, 'somebody')).toEqual({ allowed: true, retryAfterSeconds: 0 });
    expect(await takeTimes(limits, 2, of)).toEqual([true, false]);
  });

  it('get one point back at a time', async () => {
    const limits = create();
    const of = limit({ points: 2 });
    expect(await takeTimes(limits, 2, of)).toEqual([true, true]);
    await limits.giveBack(of, 'somebody');
    expect(await takeTimes(limits, 2, of)).toEqual([true, false]);
  });

  it('get nothing back that was not taken in this window', async () => {
    const limits = create();
    const of = limit({ points: 1 });
    await limits.giveBack(of, 'somebody');
    expect(await takeTimes(limits, 2, of)).toEqual([true, false]);
  });

  it('stay locked when a point is given back', async () => {
    const limits = create();
    const of = limit({ points: 1, blockSeconds: 900 });
    await limits.take(of, 'somebody');
    await limits.giveBack(of, 'somebody');
    expect(await limits.peek(of, 'somebody')).toMatchObject({ allowed: false });
  });

  it('take new numbers at once', async () => {
    const limits = create();
    const of = limit({ points: 1 });
    expect(await takeTimes(limits, 2, of)).toEqual([true, false]);
    expect(await takeTimes(limits, 1, { ...of, points: 10 })).toEqual([true]);
  });
});

describe('limits in Redis', () => {
  afterEach(() => redis.thaw());

  it('are shared by processes', async () => {
    const of = limit({ points: 2 });
    expect(await takeTimes(new RedisLimits(connection), 1, of)).toEqual([true]);
    expect(await takeTimes(new RedisLimits(other), 2, of)).toEqual([true, false]);
  });

  it('store nothing that can be read', async () => {
    const limits = new RedisLimits(connection);
    await limits.take(limit({ name: 'login' }), 'ada@example.com|192.0.2.1');
    const reader = new Redis(redis.url);
    const keys = (await reader.keys('*login*')).join();
    reader.disconnect();
    expect(keys).toMatch(/^\{authplane\}:limit:login:[\w-]{43}$/);
  });

  it('let nothing lie there forever', async () => {
    await new RedisLimits(connection).take(limit({ name: 'expiring', blockSeconds: 900, points: 1 }), 'a');
    const reader = new Redis(redis.url);
    const [key = ''] = await reader.keys('*expiring*');
    const seconds = await reader.ttl(key);
    reader.disconnect();
    expect(seconds).toBeGreaterThan(895);
  });

  it('go on per process, neither off nor closed, while Redis is frozen, and are shared again after it', async () => {
    const [here, there] = [new RedisLimits(connection), new RedisLimits(other)];
    const of = limit({ points: 2, blockSeconds: 900 });
    redis.freeze();
    const start = performance.now();
    const first = await here.take(of, 'somebody');
    expect(performance.now() - start).toBeLessThan(1_900); // one command's time-out, not two
    expect(first.allowed).toBe(true);
    expect(await takeTimes(here, 2, of)).toEqual([true, false]);
    expect(await here.peek(of, 'somebody')).toMatchObject({ allowed: false });
    expect(await takeTimes(there, 3, of)).toEqual([true, true, false]);
    await here.clear(of, 'somebody');
    expect(await here.peek(of, 'somebody')).toMatchObject({ allowed: true });
    redis.thaw();
    await Promise.all([connection, other].map(untilAnswered));
    const fresh = limit({ points: 1 });
    expect(await takeTimes(here, 1, fresh)).toEqual([true]);
    expect(await takeTimes(there, 1, fresh)).toEqual([false]);
  });
});

describe('limits in the process', () => {
  it('forget the key that was unused for longest when there are too many', async () => {
    const limiter = new BoundedMemoryLimiter({ points: 5, windowSeconds: 60, maxKeys: 3 });
    for (const key of ['a', 'b', 'c', 'a', 'd']) await limiter.consume(key);
    const known = await Promise.all(['a', 'b', 'c', 'd'].map(async (key) => (await limiter.get(key))?.consumedPoints));
    expect(known).toEqual([2, undefined, 1, 1]);
  });

  it('keep a lock while strangers spray keys', async () => {
    const limiter = new BoundedMemoryLimiter({ points: 2, windowSeconds: 60, maxKeys: 10 });
    await limiter.consume('locked');
    await limiter.consume('locked');
    await limiter.block('locked', 900);
    for (let i = 0; i < 1000; i++) await limiter.consume(`stranger-${i}`);
    expect(await limiter.get('locked')).toMatchObject({ remainingPoints: 0 });
    expect(limiter.dump().storage).toHaveLength(11);
  });
});
