import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { Job as QueuedJob, JobsOptions, Queue } from 'bullmq';
import type { Job, Lane } from './job.js';
import { Jobs } from './jobs.js';
import { QueueBackend } from './queue-backend.js';

export const queueOf = { own: 'jobs', outside: 'outgoing' } as const satisfies Record<Lane, string>;

/** How long whoever adds a job waits for a queue that does not answer. One that was told may add it later all the same: its key makes that harmless. */
const PATIENCE_MILLIS = 2_000;

/** Nothing was told to it, or it did not answer. */
export class QueueAway extends Error {}

export class JobNeedsNoRetry extends Error {}

export interface JobToAdd {
  readonly name: string;
  /** Jobs of one name and key are one job, as long as it is remembered. Of A-Z a-z 0-9 _ -, and no integer. */
  readonly key: string;
  readonly data: object;
}

export const jobStates = ['waiting', 'active', 'delayed', 'completed', 'failed'] as const;
export type JobState = (typeof jobStates)[number];

/** A job as an operator sees it. Its data are ids, never a secret. */
export interface JobView {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly data: object;
  readonly attemptsMade: number;
  readonly attempts: number;
  readonly lastError?: string;
  readonly createdAt: Date;
  readonly runAt?: Date;
}

/** The jobs that wait to be done, on BullMQ. To whoever looks at them the lanes are one queue. */
@Injectable()
export class JobQueue {
  readonly #log = new Logger(JobQueue.name);
  readonly #lanes: Readonly<Record<Lane, Queue>>;
  #lastError = '';

  constructor(
    @InjectQueue(queueOf.own) own: Queue,
    @InjectQueue(queueOf.outside) outside: Queue,
    private readonly jobs: Jobs,
    private readonly backend: QueueBackend,
  ) {
    this.#lanes = { own, outside };
    // Unheard it would end the process. A queue that is away says the same every second.
    for (const queue of this.#queues)
      queue.on('error', ({ message }) => {
        if (message !== this.#lastError) this.#log.warn(`the queue is away: ${message}`);
        this.#lastError = message;
      });
  }

  get #queues(): readonly Queue[] {
    return Object.values(this.#lanes);
  }

  /** The names of all jobs. */
  get known(): readonly string[] {
    return this.jobs.all().map(({ name }) => name);
  }

  /** @throws QueueAway */
  async add(jobs: readonly JobToAdd[]): Promise<void> {
    const lanes = new Set(jobs.map(({ name }) => this.#known(name).lane));
    await this.#ask(() =>
      Promise.all(
        [...lanes].map((lane) => {
          const here = jobs.filter(({ name }) => this.#known(name).lane === lane);
          const added = here.map(({ name, key, data }) => ({ name, data, opts: this.#optionsOf(name, key) }));
          return this.#lanes[lane].addBulk(added);
        }),
      ),
    );
  }

  /**
   * Runs a regular job once more, besides its schedule.
   *
   * @returns the job's id; undefined when none of this name is regular
   */
  async runNow(name: string): Promise<string | undefined> {
    if (this.jobs.of(name)?.everyMillis === undefined) return undefined;
    const key = randomUUID();
    await this.add([{ name, key, data: {} }]);
    return idOf(name, key);
  }

  /** How many jobs there are in each state, and when the next one can be done: long ago where nobody does it, for only a worker moves what is due. */
  async load(): Promise<{ readonly counts: Readonly<Record<string, number>>; readonly nextAt?: Date }> {
    const counts: Record<string, number> = {};
    const each = await this.#each((queue) => queue.getJobCounts('waiting', 'active', 'delayed', 'failed'));
    for (const [state, count] of each.flatMap(Object.entries<number>)) counts[state] = (counts[state] ?? 0) + count;
    const next = (await this.#each((queue) => queue.getJobs(['waiting'], 0, 0, true))).flat().filter(Boolean);
    const due = (await this.#each((queue) => queue.getJobs(['delayed'], 0, 0, true))).flat().filter(Boolean);
    const at = Math.min(...next.map(({ timestamp }) => timestamp), ...due.map(dueAt));
    return { counts, nextAt: Number.isFinite(at) ? timeOf(at) : undefined };
  }

  /** Newest first. */
  async list(states: readonly JobState[], limit: number): Promise<JobView[]> {
    const found = (await this.#each((queue) => queue.getJobs([...states], 0, limit - 1))).flat().filter(Boolean);
    const newest = found.toSorted((a, b) => b.timestamp - a.timestamp).slice(0, limit);
    return Promise.all(newest.map(viewOf));
  }

  async find(id: string): Promise<JobView | undefined> {
    const job = await this.#job(id);
    return job && viewOf(job);
  }

  /**
   * Runs a job that failed, or waits for its next attempt, now.
   *
   * @returns false when there is no such job
   * @throws JobNeedsNoRetry
   */
  async retry(id: string): Promise<boolean> {
    const job = await this.#job(id);
    if (!job) return false;
    await this.#ask(async () => {
      const state = await job.getState();
      if (state === 'failed') await job.retry();
      else if (state === 'delayed') await job.promote();
      else throw new JobNeedsNoRetry(`the job is ${state}: neither failed nor waiting for its next attempt`);
    });
    return true;
  }

  /** A Redis that is away is told nothing: it would do it whenever it is back. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    if (!(await this.backend.readyWithin(PATIENCE_MILLIS))) throw new QueueAway('the queue is away');
    return bounded(question());
  }

  /** Also where an earlier version put it into another lane. */
  async #job(id: string): Promise<QueuedJob | undefined> {
    return (await this.#each((queue) => queue.getJob(id))).find(Boolean);
  }

  #each<T>(ask: (queue: Queue) => Promise<T>): Promise<T[]> {
    return this.#ask(() => Promise.all(this.#queues.map(ask)));
  }

  #known(name: string): Job {
    const job = this.jobs.of(name);
    if (!job) throw new TypeError(`there is no job ${name}`);
    return job;
  }

  #optionsOf(name: string, key: string): JobsOptions {
    const { attempts, backoffMillis } = this.#known(name);
    return { jobId: idOf(name, key), attempts, backoff: { type: 'exponential', delay: backoffMillis } };
  }
}

const idOf = (name: string, key: string): string => `${name}_${key}`;

async function viewOf(job: QueuedJob): Promise<JobView> {
  const state = await job.getState();
  return {
    id: job.id ?? '',
    name: job.name,
    state,
    data: job.data as object,
    attemptsMade: job.attemptsMade,
    attempts: job.opts.attempts ?? 1,
    lastError: job.failedReason || undefined,
    createdAt: timeOf(job.timestamp),
    runAt: state === 'delayed' ? timeOf(dueAt(job)) : undefined,
  };
}

/** The delay of a job that was tried runs from its last attempt. */
const dueAt = ({ timestamp, processedOn, delay }: QueuedJob): number => (processedOn ?? timestamp) + delay;

/** BullMQ measures by its own clock. */
const timeOf = (millis: number): Date => new Date(millis);

async function bounded<T>(work: Promise<T>): Promise<T> {
  const ended = new AbortController();
  const late = after(PATIENCE_MILLIS, undefined, { signal: ended.signal, ref: false }).then(
    () => {
      throw new QueueAway('the queue did not answer in time');
    },
    () => new Promise<never>(() => {}),
  );
  try {
    return await Promise.race([work, late]);
  } finally {
    ended.abort();
  }
}
