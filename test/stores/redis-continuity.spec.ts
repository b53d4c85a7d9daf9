import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SystemClock } from '../../src/platform/clock/clock.js';
import { RedisContinuity } from '../../src/platform/ephemeral/redis-continuity.js';
import { RedisConnection } from '../../src/platform/ephemeral/redis.js';
import { SettingStore } from '../../src/platform/postgres/settings.store.js';
import { startPortSwitch, type PortSwitch } from '../port-switch.js';
import { freshDatabase, openDatabase } from '../postgres.js';
import { startRedis, type TestRedis } from '../redis.js';
import { until } from '../until.js';

describe('a Redis in whose place another one was for a while', () => {
  let [first, second]: [TestRedis, TestRedis] = [] as never;
  let line: PortSwitch;
  let storage: Awaited<ReturnType<typeof freshDatabase>>;
  let opened: Awaited<ReturnType<typeof openDatabase>>;

  beforeEach(async () => {
    first = await startRedis();
    second = await startRedis();
    line = await startPortSwitch(first.port);
    storage = await freshDatabase();
    opened = await openDatabase(storage.connection);
  });
  afterEach(async () => {
    await opened.end();
    await storage.drop();
    await line.stop();
    await first.stop();
    await second.stop();
  });

  const leadTo = (redis: TestRedis): void => {
    line.point(redis.port);
    line.restore();
  };

  it('may have lost claims, though nobody made one meanwhile', async () => {
    const { database } = opened;
    const connection = new RedisConnection({ url: `redis://127.0.0.1:${line.port}` });
    const settings = new SettingStore(database);
    const continuity = new RedisContinuity(connection, database, settings, new SystemClock());
    const written = async () => (await settings.get<{ memory: string }>('redis_memory'))?.memory;
    try {
      await connection.onModuleInit();
      const { name, forgotAt } = await continuity.memory();
      expect(forgotAt).toBeUndefined();
      leadTo(second);
      await until('the other one is noticed', written, (memory) => memory !== name);
      leadTo(first);
      await until('the first is back', written, name);
      expect((await continuity.memory()).forgotAt).toBeInstanceOf(Date);
    } finally {
      connection.onApplicationShutdown();
    }
  });
});
