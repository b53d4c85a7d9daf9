import type { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { QueueRedis } from '../../src/platform/queue/queue-redis.js';
import { startRedis, type TestRedis } from '../redis.js';
import { startRedisCluster, type RedisCluster } from '../redis-cluster.js';
import { ScriptedSentinel } from '../scripted-sentinel.js';

/** Connections, one of them a worker's, that are cut off while they are about to dial again. */
async function cutOffBetweenAttempts(queue: QueueRedis, cut: (all: Redis[]) => Promise<unknown>): Promise<void> {
  const connection = queue.connection as Redis;
  const all = [connection, connection.duplicate()];
  for (const each of all) each.on('error', () => {});
  await Promise.all(all.map((each) => each.ping()));
  const between = all.map((each) => new Promise<void>((begun) => each.once('reconnecting', () => begun())));
  await cut(all);
  await Promise.all(between);
  let ended = 0;
  for (const each of all) each.once('end', () => (ended += 1));
  await queue.cutOff();
  expect(ended).toBe(all.length);
}

const kickAll = (redis: TestRedis): Promise<unknown> =>
  redis.operate((operator) => operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));

describe('the connections of the queue end, between two attempts too', () => {
  let redis: TestRedis;
  beforeEach(async () => {
    redis = await startRedis();
  });
  afterEach(() => redis.stop());

  it('when Redis is there again', async () => {
    await cutOffBetweenAttempts(new QueueRedis({ url: redis.url }), () => kickAll(redis));
  });

  it('when Redis is gone', async () => {
    await cutOffBetweenAttempts(new QueueRedis({ url: redis.url }), () => redis.kill());
  });

  it.each(['there', 'gone'])('when its sentinels are %s', async (where) => {
    const sentinel = new ScriptedSentinel(redis);
    const queue = new QueueRedis({ sentinels: [await sentinel.start()] });
    await cutOffBetweenAttempts(queue, async () => {
      if (where === 'gone') await sentinel.stop();
      await kickAll(redis);
    });
    if (where === 'there') await sentinel.stop();
  });
});

describe('the connections of the queue to a cluster', () => {
  let cluster: RedisCluster;
  beforeEach(async () => {
    cluster = await startRedisCluster();
  });
  afterEach(() => cluster.stop());

  it('end, between two attempts too', async () => {
    const queue = new QueueRedis({ clusterNodes: cluster.nodes.split(',') });
    await cutOffBetweenAttempts(queue, (all) => Promise.all(all.map((each) => each.disconnect(true))));
  });
});
