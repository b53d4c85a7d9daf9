/** What is done to a world under load. Each says what world it needs, and ends when everything that it stopped is up again. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from './processes.mjs';

const replicasReady = (world) => Promise.all(world.replicas.map((replica) => replica.untilReady()));

export const faults = {
  'rolling-restart': {
    about: 'the replicas are restarted one after another (SIGTERM)',
    curable: true,
    async strike({ replicas }) {
      for (const replica of replicas) {
        const code = await replica.end('SIGTERM');
        if (code !== 0) throw new Error(`${replica.name} ended with ${code}`);
        await replica.start();
        await sleep(2_000);
      }
    },
  },
  'replica-killed': {
    about: 'kill -9 of a replica, which comes back after five seconds',
    curable: true,
    async strike({ replicas: [, victim] }) {
      await victim.end('SIGKILL');
      await sleep(5_000);
      await victim.start();
    },
  },
  'postgres-fast-restart': {
    about: 'PostgreSQL is restarted, open transactions are rolled back (SIGINT)',
    strike: (world) => restartPostgres(world, 'SIGINT'),
  },
  'postgres-immediate-restart': {
    about: 'PostgreSQL is restarted as after a crash (SIGQUIT)',
    strike: (world) => restartPostgres(world, 'SIGQUIT'),
  },
  'postgres-failover': {
    about: 'kill -9 of the primary, and after two seconds its synchronous standby is promoted',
    world: { failover: true },
    async strike(world) {
      await world.postgres.failOver(2);
      await replicasReady(world);
    },
  },
  'redis-restart': {
    about: 'kill -9 of Redis, which comes back empty after two seconds',
    strike: ({ redis }) => redis.restart(2),
  },
  'redis-sentinel-failover': {
    about: 'kill -9 of the primary under Sentinels, which promote its replica',
    world: { sentinel: true },
    strike: ({ redis }) => redis.failOver(),
  },
  'redis-frozen': {
    about: 'Redis answers nothing for ten seconds (SIGSTOP)',
    async strike({ redis }) {
      redis.freeze();
      await sleep(10_000);
      redis.thaw();
    },
  },
  'disk-full': {
    about:
      "the primary's disk is full for ten seconds, log and data; whoever supervises PostgreSQL starts it again when it gives up",
    world: { smallDisk: '260m' },
    async strike(world) {
      const { disk, primary } = world.postgres;
      const supervised = primary.supervise();
      disk.fill();
      await until('a full disk to be noticed', async () => world.replicas.some((replica) => replica.complained()), {
        seconds: 40,
      });
      await sleep(10_000);
      disk.free();
      await replicasReady(world);
      await until('writes again', () => world.sql('create table if not exists writable (n int)'), { seconds: 60 });
      supervised.stop();
      return { restarts: supervised.restarts };
    },
  },
};

async function restartPostgres(world, signal) {
  await world.postgres.primary.stop(signal);
  await sleep(2_000);
  await world.postgres.primary.start();
  await world.postgres.untilSynchronous();
  await replicasReady(world);
}
