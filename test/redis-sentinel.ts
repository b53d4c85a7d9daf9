import { Redis } from 'ioredis';
import { caughtUp, startRedis, type TestRedis } from './redis.js';
import { until } from './until.js';

/** How long the primary may be silent before the sentinels take it for dead. */
const DOWN_AFTER_MILLIS = 700;

/** A primary and its replica, watched by three sentinels who agree by two. */
export interface SentinelTrio {
  /** `host:port` of each, separated by commas. */
  readonly sentinels: string;
  readonly name: string;
  /** Whom the sentinels send everybody to. */
  primary(): Promise<TestRedis>;
  /** Comes back when the sentinels send everybody to somebody else than `former`. */
  untilSucceeded(former: TestRedis): Promise<TestRedis>;
  /** Cuts the replica off, so that it misses what the primary is told from now on. */
  isolateReplica(): Promise<void>;
  /** Starts again whoever is gone. */
  heal(): Promise<void>;
  stop(): Promise<void>;
}

export async function startSentinelTrio(name = 'authplane'): Promise<SentinelTrio> {
  const first = await startRedis({ settings: ['--repl-diskless-sync-delay', '0'] });
  const second = await startRedis({
    settings: ['--replicaof', '127.0.0.1', `${first.port}`, '--repl-diskless-sync-delay', '0'],
  });
  const data = [first, second];
  await attached(first);
  const file = [
    `sentinel monitor ${name} 127.0.0.1 ${first.port} 2`,
    `sentinel down-after-milliseconds ${name} ${DOWN_AFTER_MILLIS}`,
    // Votes may be split; the next election comes after twice this.
    `sentinel failover-timeout ${name} 1000`,
    '',
  ].join('\n');
  const sentinels = await Promise.all([1, 2, 3].map(() => startRedis({ file, sentinel: true })));
  const ask = async (sentinel: TestRedis): Promise<TestRedis | undefined> => {
    const found = await sentinel.operate((it) => it.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name));
    const port = Number((found as string[] | null)?.[1]);
    return data.find((each) => each.port === port);
  };
  // Only who knows the replica and the other two can move everybody over.
  for (const sentinel of sentinels) {
    const known = () => sentinel.operate(async (it) => String(await it.call('INFO', 'sentinel')));
    await until('the sentinels know each other', known, (it) => it.includes('slaves=1,sentinels=3'));
  }
  const primary = async (): Promise<TestRedis> => {
    const found = await ask(sentinels[0]!);
    if (!found) throw new Error(`the sentinels know no primary of ${name}`);
    return found;
  };
  return {
    sentinels: sentinels.map(({ address }) => address).join(','),
    name,
    primary,
    untilSucceeded: async (former) => {
      const all = async () => (await Promise.all(sentinels.map(ask))).every((each) => each && each !== former);
      await until('the sentinels agree on another primary', all, true);
      return primary();
    },
    isolateReplica: async () => {
      const leading = await primary();
      const replica = data.find((each) => each !== leading)!;
      await caughtUp(leading, replica);
      // A wrong password keeps the link down, and the data that it has stay.
      await replica.operate(async (it) => {
        await it.config('SET', 'masterauth', 'not-the-password');
        await it.config('SET', 'masteruser', 'nobody');
      });
      await leading.operate((it) => it.call('CLIENT', 'KILL', 'TYPE', 'replica'));
    },
    heal: async () => {
      for (const each of data) {
        each.thaw();
        if (each.gone) await each.start();
      }
    },
    stop: async () => {
      for (const each of [...sentinels, ...data]) await each.stop();
    },
  };
}

/** Until a replica has all that the primary has. */
async function attached(primary: TestRedis): Promise<void> {
  const state = () => primary.operate((it: Redis) => it.info('replication'));
  await until('the replica is attached', state, (it) => it.includes('state=online'));
}
