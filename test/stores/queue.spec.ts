import { AsyncLocalStorage } from 'node:async_hooks';
import { Logger } from '@nestjs/common';
import { Test, type TestingModule } from '@nestjs/testing';
import { getQueueToken } from '@nestjs/bullmq';
import { UnrecoverableError, type Queue } from 'bullmq';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { loadConfig } from '../../src/config/load-config.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { OLDEST } from '../../src/platform/outbox/outbox-relay.js';
import { Outbox } from '../../src/platform/outbox/outbox.js';
import { OutboxModule } from '../../src/platform/outbox/outbox.module.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { Job } from '../../src/platform/queue/job.js';
import { JobQueue, queueOf } from '../../src/platform/queue/job-queue.js';
import { QueueModule } from '../../src/platform/queue/queue.module.js';
import { jobFailures } from '../../src/platform/telemetry/runtime-metrics.js';
import { withClient } from '../../src/platform/postgres/connection.js';
import { freshDatabase } from '../postgres.js';
import { startRedis, type TestRedis } from '../redis.js';

interface Note {
  text: string;
}

class NoteJob extends Job<Note> {
  readonly name = 'note';
  override readonly attempts = 2;
  override readonly backoffMillis = 1;
  readonly seen: string[] = [];
  readonly givenUp: string[] = [];
  failures = 0;
  failure: Error = new Error('not today');

  async run({ text }: Note): Promise<void> {
    this.seen.push(text);
    if (this.failures-- > 0) throw this.failure;
  }

  override async giveUp({ text }: Note): Promise<void> {
    this.givenUp.push(text);
  }
}

/** As a receiver that does not answer before it is told to. */
class ErrandJob extends Job {
  readonly name = 'errand';
  override readonly lane = 'outside';
  answer!: () => void;
  readonly #answered = new Promise<void>((resolve) => (this.answer = resolve));
  begun = 0;

  run(): Promise<void> {
    this.begun += 1;
    return this.#answered;
  }
}

class HourlyJob extends Job {
  constructor(readonly name = 'hourly') {
    super();
  }

  override readonly everyMillis = 3_600_000;
  runs = 0;

  async run(): Promise<void> {
    this.runs++;
  }
}

interface Replica {
  readonly module: TestingModule;
  readonly job: NoteJob;
  readonly errand: ErrandJob;
  tell(topic: string, key: string, text: string): Promise<void>;
}

describe.each(['postgres', 'redis'] as const)('the queue on %s', (kind) => {
  let redis: TestRedis | undefined;
  let storage: Awaited<ReturnType<typeof freshDatabase>>;
  let replicas: Replica[] = [];
  let here: Replica;

  async function replica(role = 'all'): Promise<Replica> {
    const env = { AUTHPLANE_SERVER_ROLE: role, ...(redis ? { AUTHPLANE_REDIS_URL: redis.url } : {}) };
    const config = loadConfig({ env });
    const [job, errand] = [new NoteJob(), new ErrandJob()];
    const module = await Test.createTestingModule({
      imports: [
        ConfigModule.of(config),
        ClockModule.of(),
        PostgresModule.of(storage.connection),
        QueueModule.of(storage.connection),
        OutboxModule,
      ],
      providers: [
        { provide: NoteJob, useValue: job },
        { provide: ErrandJob, useValue: errand },
      ],
    }).compile();
    await module.init();
    const tell = (topic: string, key: string, text: string): Promise<void> =>
      module.get(Database).transaction((tx) => module.get(Outbox).put(tx, topic, key, { text }));
    const made = { module, job, errand, tell };
    replicas.push(made);
    return made;
  }

  const waiting = async (): Promise<number> => (await here.module.get(Database).query('select id from outbox')).length;

  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined;
  });
  afterAll(() => redis?.stop());
  beforeEach(async () => {
    storage = await freshDatabase();
    here = await replica();
  });
  afterEach(async () => {
    for (const { module } of replicas) await module.close();
    replicas = [];
    await storage.drop();
  });

  it('does what a commit tells of, and nothing of what was rolled back', async () => {
    await here.tell('note', 'a1', 'kept');
    const rolledBack = here.module.get(Database).transaction(async (tx) => {
      await here.module.get(Outbox).put(tx, 'note', 'a2', { text: 'never' });
      throw new Error('changed my mind');
    });
    await expect(rolledBack).rejects.toThrow('changed my mind');
    await here.tell('note', 'a3', 'kept too');
    await vi.waitFor(() => expect(here.job.seen.toSorted()).toEqual(['kept', 'kept too']), 30_000);
    await vi.waitFor(async () => expect(await waiting()).toBe(0), 30_000);
  });

  it('does once what is told twice, however many replicas there are', async () => {
    const other = await replica();
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all([here.tell('note', `b${turn}`, `${turn}`), other.tell('note', `b${turn}`, `${turn}`)]);
    }
    const seen = (): string[] => [...here.job.seen, ...other.job.seen].toSorted();
    await vi.waitFor(async () => {
      expect(await waiting()).toBe(0);
      expect(seen()).toHaveLength(10);
    }, 30_000);
    expect(new Set(seen()).size).toBe(10);
  });

  it('tries again, and gives up once after the last attempt', async () => {
    here.job.failures = 1;
    await here.tell('note', 'c1', 'second time lucky');
    await vi.waitFor(() => expect(here.job.seen).toHaveLength(2), 30_000);
    here.job.failures = 2;
    await here.tell('note', 'c2', 'never lucky');
    await vi.waitFor(() => expect(here.job.givenUp).toEqual(['never lucky']), 30_000);
    expect(here.job.seen).toHaveLength(4);
    const [failed] = await here.module.get(JobQueue).list(['failed'], 10);
    expect(failed).toMatchObject({ name: 'note', attemptsMade: 2, attempts: 2, lastError: 'not today' });
    expect(await here.module.get(JobQueue).retry(failed?.id ?? '')).toBe(true);
    await vi.waitFor(() => expect(here.job.seen).toHaveLength(5), 30_000);
  });

  it('is not held up by those who let it wait, however many they are, and shows and counts them too', async () => {
    for (let count = 0; count < 20; count++) await here.tell('errand', `f${count}`, 'slow');
    await vi.waitFor(async () => expect(await waiting()).toBe(0), 30_000);
    await vi.waitFor(() => expect(here.errand.begun).toBe(8), 30_000);
    await here.tell('note', 'f20', 'meanwhile');
    await vi.waitFor(() => expect(here.job.seen).toEqual(['meanwhile']), 30_000);
    expect(here.errand.begun).toBe(8);
    const queue = here.module.get(JobQueue);
    const load = () => queue.load();
    // What was done a moment ago may count as active still.
    await vi.waitFor(async () => expect((await load()).counts).toMatchObject({ active: 8, waiting: 12 }), 30_000);
    expect((await load()).nextAt).toBeInstanceOf(Date);
    expect(await queue.list(['waiting', 'active'], 1_000)).toHaveLength(20);
    expect(await queue.list(['waiting', 'active'], 5)).toHaveLength(5);
    expect(await queue.find('errand_f3')).toMatchObject({ name: 'errand' });
    here.errand.answer();
    await vi.waitFor(() => expect(here.errand.begun).toBe(20), 30_000);
  });

  it('gives up at once what can never be done, and counts that as final', async () => {
    const given = async (): Promise<number | undefined> =>
      (await jobFailures.get()).values.find(({ labels }) => labels.job_name === 'note' && labels.final === 'true')
        ?.value;
    const before = await given();
    expect(before).toBeDefined();
    here.job.failures = 1;
    here.job.failure = new UnrecoverableError('never');
    await here.tell('note', 'c3', 'impossible');
    await vi.waitFor(() => expect(here.job.givenUp).toEqual(['impossible']), 30_000);
    expect(here.job.seen).toEqual(['impossible']);
    expect(await given()).toBe(before! + 1);
  });

  it('says since when a job is due that no worker moves', async () => {
    await here.module.close();
    replicas = [];
    here = await replica('server');
    const queue = here.module.get<Queue>(getQueueToken(queueOf.own));
    await queue.add('note', { text: 'long' }, { delay: 3_600_000 });
    const next = async (): Promise<number> => (await here.module.get(JobQueue).load()).nextAt!.getTime();
    const inAnHour = await next();
    await queue.add('note', { text: 'soon' }, { delay: 1 });
    expect(await next()).toBeLessThan(inAnHour - 3_500_000);
    expect((await here.module.get(JobQueue).load()).counts).toMatchObject({ waiting: 0, delayed: 2 });
    expect(here.job.seen).toEqual([]);
    await queue.obliterate({ force: true });
  });

  it('leaves what it does not know to a later version, and is not held up by it', async () => {
    await here.tell('of-a-later-version', 'd1', 'unknown');
    await here.tell('note', 'd2', 'known');
    await vi.waitFor(() => expect(here.job.seen).toEqual(['known']), 30_000);
    await vi.waitFor(async () => expect(await waiting()).toBe(1), 30_000);
  });

  it('passes over regular jobs of a later version that was rolled back, and gives nothing up', async () => {
    const queue = here.module.get<Queue>(getQueueToken(queueOf.own), { strict: false });
    const name = 'hourly-of-a-later-version';
    await queue.upsertJobScheduler(name, { every: 3_600_000 }, { name, data: {} });
    const counts = () => queue.getJobCounts('completed', 'failed');
    await vi.waitFor(async () => expect(await counts()).toEqual({ completed: 1, failed: 0 }), 30_000);
  });
});

describe('with Redis away', () => {
  let redis: TestRedis;
  let storage: Awaited<ReturnType<typeof freshDatabase>>;

  beforeEach(async () => {
    redis = await startRedis();
    storage = await freshDatabase();
  });
  afterEach(async () => {
    vi.useRealTimers();
    await storage.drop();
    await redis.stop();
  });

  const moduleWith = async (job: Job | Job[], redisUrl = redis.url): Promise<TestingModule> => {
    const module = await Test.createTestingModule({
      imports: [
        ConfigModule.of(loadConfig({ env: { AUTHPLANE_REDIS_URL: redisUrl } })),
        ClockModule.of(),
        PostgresModule.of(storage.connection),
        QueueModule.of(storage.connection),
        OutboxModule,
      ],
      providers: [job].flat().map((useValue) => ({ provide: useValue.name, useValue })),
    }).compile();
    return module.init();
  };

  it.each(['killed', 'frozen'])('keeps what it cannot carry, and carries it when Redis is back: %s', async (how) => {
    const job = new NoteJob();
    const module = await moduleWith(job);
    const database = module.get(Database);
    if (how === 'killed') await redis.kill();
    else redis.freeze();
    await database.transaction((tx) => module.get(Outbox).put(tx, 'note', 'e1', { text: 'later' }));
    expect(await database.query('select id from outbox')).toHaveLength(1);
    if (how === 'killed') await redis.start();
    else redis.thaw();
    await vi.waitFor(() => expect(job.seen).toEqual(['later']), 20_000);
    await module.close();
  });

  it('says so as nobody’s: not as the request that woke the relay', async () => {
    const request = new AsyncLocalStorage<string>();
    const heard: [message: unknown, request: unknown][] = [];
    const listen = (message: unknown): void => void heard.push([(message as Error).message, request.getStore()]);
    const module = await moduleWith(new NoteJob());
    Logger.overrideLogger({ log: () => {}, error: () => {}, warn: listen });
    await redis.kill();
    await request.run('a request', () =>
      module.get(Database).transaction((tx) => module.get(Outbox).put(tx, 'note', 'f1', { text: 'later' })),
    );
    const waits = () => heard.find(([message]) => message === 'the outbox waits');
    await vi.waitFor(() => expect(waits()).toBeDefined(), 30_000);
    expect(waits()).toEqual(['the outbox waits', undefined]);
    Logger.overrideLogger(true);
    await module.close();
  });

  it('is not kept busy by a Redis that refuses it its jobs', async () => {
    const module = await moduleWith(new NoteJob(), await redis.guestWithout('info', 'eval', 'evalsha'));
    await redis.operate(async (operator) => {
      const refusals = async (): Promise<number> =>
        Number(/cmdstat_evalsha:.*rejected_calls=(\d+)/.exec(await operator.info('commandstats'))?.[1] ?? 0);
      await vi.waitFor(async () => expect(await refusals()).toBeGreaterThan(0), 30_000);
      const before = await refusals();
      for (let count = 0; count < 500; count++) await operator.ping();
      expect((await refusals()) - before).toBeLessThan(20);
    });
    await module.close();
  });

  it('starts and stops all the same', async () => {
    await redis.kill();
    const begun = performance.now();
    const module = await moduleWith(['a', 'b', 'c', 'd', 'e'].map((name) => new HourlyJob(name)));
    expect(performance.now() - begun).toBeLessThan(6_000);
    await module.close();
  });

  it('schedules regular jobs when Redis is there for the first time, and when it came back empty', async () => {
    await redis.kill();
    const job = new HourlyJob();
    const module = await moduleWith(job);
    for (const runs of [1, 2]) {
      await redis.start();
      await vi.waitFor(() => expect(job.runs).toBe(runs), 20_000);
      await redis.kill();
    }
    await module.close();
  });

  it('schedules regular jobs again when Redis was emptied while it ran, and leaves those that are there', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const job = new HourlyJob();
    const module = await moduleWith(job);
    const scheduled = async (): Promise<Date[]> =>
      (await module.get(JobQueue).list(['delayed'], 10)).map(({ runAt }) => runAt!);
    const untilScheduled = () => vi.waitFor(async () => expect(await scheduled()).toHaveLength(1), 30_000);
    await vi.waitFor(() => expect(job.runs).toBe(1), 30_000);
    await untilScheduled();
    const before = await scheduled();
    vi.advanceTimersByTime(60_000);
    await redis.operate((operator) => operator.ping());
    expect(await scheduled()).toEqual(before);
    expect(job.runs).toBe(1);
    await redis.operate((operator) => operator.flushall());
    expect(await scheduled()).toEqual([]);
    vi.advanceTimersByTime(60_000);
    await untilScheduled();
    await vi.waitFor(() => expect(job.runs).toBe(2), 30_000);
    await module.close();
  });

  it('stops when Redis went away meanwhile', async () => {
    const module = await moduleWith(new NoteJob());
    await redis.kill();
    await module.close();
  });
});

it('an outbox that grew long is not sorted for every batch', async () => {
  const { connection, drop } = await freshDatabase();
  await withClient(connection, async (client) => {
    await client.query(
      `insert into outbox (id, topic, key, payload, created_at)
       select gen_random_uuid(), 'note', n::text, '{}', now() + n * interval '1 ms' from generate_series(1, 20000) n`,
    );
    await client.query('analyze outbox');
    const { rows } = await client.query<{ 'QUERY PLAN': string }>(`explain ${OLDEST}`, [100, ['note']]);
    expect(rows.map((row) => row['QUERY PLAN']).join('\n')).not.toContain('Sort');
  });
  await drop();
});
