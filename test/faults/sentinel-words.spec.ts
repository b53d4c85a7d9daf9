import { once } from 'node:events';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openRedis, retryMillis } from '../../src/platform/ephemeral/redis-target.js';
import { WatchfulSentinelConnector } from '../../src/platform/ephemeral/watchful-sentinel-connector.js';
import { startTestApp } from '../app.js';
import { startRedis, type TestRedis } from '../redis.js';
import { ScriptedSentinel } from '../scripted-sentinel.js';
import { freePort } from '../free-port.js';
import { until } from '../until.js';

const NAME = 'authplane';
const ELSEWHERE = '127.0.0.1 9';

describe('the word of a sentinel that the primary changed', () => {
  let primary: TestRedis;
  let sentinel: ScriptedSentinel;
  /** As a worker of the queue has a copy of the queue's connection. */
  let clients: Redis[];

  beforeEach(async () => {
    primary = await startRedis();
    sentinel = new ScriptedSentinel(primary);
    const target = { sentinels: [await sentinel.start()], sentinelName: NAME };
    const client = openRedis(target, { retryStrategy: retryMillis }) as Redis;
    clients = [client, client.duplicate()];
    for (const each of clients) each.on('error', () => {});
    await until('they listen', () => sentinel.listening.size, clients.length);
  });
  afterEach(async () => {
    for (const each of clients) each.disconnect();
    await sentinel.stop();
    await primary.stop();
  });

  const connections = (): Promise<number[]> => Promise.all(clients.map((each) => each.client('ID')));
  const untilOthersThan = (former: number[]): Promise<number[]> =>
    until('they dialled again', connections, (now) => now.every((id) => !former.includes(id)));

  it('[D12] makes each leave the one that it had, which may live on', async () => {
    const former = await connections();
    sentinel.say(`${NAME} 127.0.0.1 ${primary.port} ${ELSEWHERE}`);
    await untilOthersThan(former);
    await until('they listen again', () => sentinel.listening.size, clients.length);
  });

  it('[D12] does not end one that is just asking for the new one', async () => {
    const former = await connections();
    sentinel.beforeAnswer = () => sentinel.sayAndWait(`${NAME} 127.0.0.1 ${primary.port} ${ELSEWHERE}`);
    await primary.operate((operator) => operator.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes'));
    await untilOthersThan(former);
  });

  it.each([
    ['comes late, from one who learned of it after the others', () => `${NAME} ${ELSEWHERE} 127.0.0.1 ${primary.port}`],
    ['is about somebody else', () => `another ${ELSEWHERE} 127.0.0.1 10`],
  ])('[D12] changes nothing when it %s', async (_, word) => {
    const [former, asked] = [await connections(), sentinel.questions];
    sentinel.say(word());
    for (let turn = 0; turn < 500; turn++) expect(await connections()).toEqual(former);
    expect(sentinel.questions).toBe(asked);
  });
});

describe('sentinels', () => {
  let primary: TestRedis;
  let sentinel: ScriptedSentinel;
  beforeEach(async () => {
    primary = await startRedis();
    sentinel = new ScriptedSentinel(primary);
  });
  afterEach(async () => {
    await sentinel.stop();
    await primary.stop();
  });

  it('that are all away keep no server from starting, which finds the primary when they are back', async () => {
    const port = await freePort();
    const app = await startTestApp({ settings: { REDIS_SENTINELS: `127.0.0.1:${port}`, REDIS_SENTINEL_NAME: NAME } });
    const ready = async () => ((await (await fetch(`${app.adminUrl}/ready`)).json()) as { redis: string }).redis;
    expect(await ready()).toBe('down');
    expect(app.logged).toContainEqual(expect.stringMatching(/^Redis is away: All sentinels are unreachable/));
    await sentinel.start(port);
    await until('Redis is found', ready, 'ok');
    await app.close();
  });

  it('are not listened to by one that was left while it dialled', async () => {
    const [host, port] = (await sentinel.start()).split(':');
    const at = { host, port: Number(port) };
    const connector = new WatchfulSentinelConnector({ sentinels: [at], name: NAME, disconnectTimeout: 2_000 });
    const stream = await connector.connect(() => {});
    connector.disconnect();
    await once(stream, 'close');
    const other = new Redis({ ...at, enableReadyCheck: false });
    await other.subscribe('+switch-master');
    expect(sentinel.listening.size).toBe(1);
    other.disconnect();
  });
});
