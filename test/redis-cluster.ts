import { Redis } from 'ioredis';
import { caughtUp, startRedis, type TestRedis } from './redis.js';
import { until } from './until.js';

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
  /** Comes back when the replica has taken our slot over, and everybody who lives knows. */
  untilSucceeded(): Promise<void>;
  /** Cuts the replica off, so that it misses what the primary is told from now on. */
  isolateReplica(): Promise<void>;
  /** The replica takes our slot without asking anybody, and its primary follows it from then on. */
  takeOver(): Promise<void>;
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
  const nodesKnown = () => replica.operate(async (it) => String(await it.call('CLUSTER', 'NODES')));
  await until('the replica knows its primary', nodesKnown, (it) => it.includes(id));
  await replica.operate((it) => it.call('CLUSTER', 'REPLICATE', id));
  const attached = () => ours.operate((it: Redis) => it.info('replication'));
  await until('the replica is attached', attached, (it) => it.includes('state=online'));
  const whole = /cluster_state:ok[^]*cluster_slots_ok:16384[^]*cluster_known_nodes:4/;
  for (const node of nodes) {
    const known = () => node.operate(async (it) => String(await it.call('CLUSTER', 'INFO')));
    await until('the cluster is whole', known, (it) => whole.test(it));
  }
  return {
    nodes: primaries.map(({ address }) => address).join(','),
    primaries,
    ours,
    replica,
    untilSucceeded: async () => {
      const successor = `${await replica.operate(async (it) => String(await it.call('CLUSTER', 'MYID')))} `;
      for (const node of nodes.filter(({ gone }) => !gone)) {
        const known = () => node.operate(async (it) => String(await it.call('CLUSTER', 'NODES')));
        const leads = (line: string) => line.startsWith(successor) && /^\S+ \S+ (?:myself,)?master /.test(line);
        await until('the replica has taken over', known, (it) => it.split('\n').some(leads));
      }
    },
    isolateReplica: async () => {
      await caughtUp(ours, replica);
      await replica.operate(async (it) => {
        await it.config('SET', 'masterauth', 'not-the-password');
        await it.config('SET', 'masteruser', 'nobody');
      });
      await ours.operate((it) => it.call('CLIENT', 'KILL', 'TYPE', 'replica'));
    },
    takeOver: async () => {
      await replica.operate((it) => it.call('CLUSTER', 'FAILOVER', 'TAKEOVER'));
      const role = () => ours.operate(async (it) => ((await it.call('ROLE')) as unknown[])[0]);
      await until('the former primary follows', role, 'slave');
    },
    stop: async () => {
      for (const node of nodes) {
        node.thaw();
        await node.stop();
      }
    },
  };
}
