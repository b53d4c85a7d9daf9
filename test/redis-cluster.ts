import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { startRedis, type TestRedis } from './redis.js';

const SLOTS = 16_384;
/** Everything of ours lies in the slot of this tag. */
const TAG = '{authplane}';

/** Three primaries that share the slots, and a replica of the one that has ours. */
export interface RedisCluster {
  /** `host:port` of the primaries, separated by commas. */
  readonly nodes: string;
  readonly primaries: readonly TestRedis[];
  /** The one that has our slot, at the beginning. */
  readonly ours: TestRedis;
  /** Who follows it. */
  readonly replica: TestRedis;
  /** Comes back when the replica has taken our slot over. */
  untilSucceeded(): Promise<void>;
  /** Cuts the replica off, so that it misses what the primary is told from now on. */
  isolateReplica(): Promise<void>;
  stop(): Promise<void>;
}

export async function startRedisCluster(): Promise<RedisCluster> {
  // However long a replica was cut off, it may take over: what it has missed is what the tests ask about.
  const settings =
    '--cluster-enabled yes --cluster-node-timeout 1000 --cluster-require-full-coverage no --cluster-replica-validity-factor 0 --repl-diskless-sync-delay 0'.split(
      ' ',
    );
  const nodes = await Promise.all([1, 2, 3, 4].map(() => startRedis({ settings })));
  const primaries = nodes.slice(0, 3);
  const replica = nodes[3]!;
  for (const [n, node] of primaries.entries()) {
    const [from, to] = [Math.ceil((n * SLOTS) / 3), Math.ceil(((n + 1) * SLOTS) / 3) - 1];
    await node.operate(async (it) => {
      await it.call('CLUSTER', 'SET-CONFIG-EPOCH', `${n + 1}`);
      await it.call('CLUSTER', 'ADDSLOTSRANGE', `${from}`, `${to}`);
    });
  }
  for (const node of nodes.slice(1)) {
    await nodes[0]!.operate((it) => it.call('CLUSTER', 'MEET', '127.0.0.1', `${node.port}`));
  }
  const slot = Number(await nodes[0]!.operate((it) => it.call('CLUSTER', 'KEYSLOT', TAG)));
  const ours = primaries[Math.floor((slot * 3) / SLOTS)]!;
  const id = String(await ours.operate((it) => it.call('CLUSTER', 'MYID')));
  await expect
    .poll(() => replica.operate(async (it) => String(await it.call('CLUSTER', 'NODES'))), { timeout: 10_000 })
    .toContain(id);
  await replica.operate((it) => it.call('CLUSTER', 'REPLICATE', id));
  await expect
    .poll(() => ours.operate((it: Redis) => it.info('replication')), { timeout: 10_000, interval: 50 })
    .toMatch(/state=online/);
  for (const node of nodes) {
    const known = () => node.operate(async (it) => String(await it.call('CLUSTER', 'INFO')));
    await expect
      .poll(known, { timeout: 10_000, interval: 50 })
      .toMatch(/cluster_state:ok[^]*cluster_slots_ok:16384[^]*cluster_known_nodes:4/);
  }
  return {
    nodes: primaries.map(({ address }) => address).join(','),
    primaries,
    ours,
    replica,
    untilSucceeded: async () => {
      const role = () => replica.operate(async (it) => ((await it.call('ROLE')) as unknown[])[0]);
      await expect.poll(role, { timeout: 15_000, interval: 50 }).toBe('master');
    },
    isolateReplica: async () => {
      await replica.operate(async (it) => {
        await it.config('SET', 'masterauth', 'not-the-password');
        await it.config('SET', 'masteruser', 'nobody');
      });
      await ours.operate((it) => it.call('CLIENT', 'KILL', 'TYPE', 'replica'));
    },
    stop: async () => {
      for (const node of nodes) {
        node.thaw();
        await node.stop();
      }
    },
  };
}
