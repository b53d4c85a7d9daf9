import { randomUUID } from 'node:crypto';
import { setTimeout as after } from 'node:timers/promises';
import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger } from '@nestjs/common';
import type { Job as QueuedJob, JobsOptions, Queue } from 'bullmq';
import { Jobs } from './jobs.js';
import { QueueBackend } from './queue-backend.js';

export const QUEUE = 'jobs';

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

/** The jobs that wait to be done, on BullMQ. */
@Injectable()
export class JobQueue {
  readonly #log = new Logger(JobQueue.name);
  #lastError = '';

  constructor(
    @InjectQueue(QUEUE) private readonly queue: Queue,
    private readonly jobs: Jobs,
    private readonly backend: QueueBackend,
  ) {
    // Unheard it would end the process. A queue that is away says the same every second.
    this.queue.on('error', ({ message }) => {
      if (message !== this.#lastError) this.#log.warn(`the queue is away: ${message}`);
      this.#lastError = message;
    });
  }

  /** The names of all jobs. */
  get known(): readonly string[] {
    return this.jobs.all().map(({ name }) => name);
  }

  /** @throws QueueAway */
  async add(jobs: readonly JobToAdd[]): Promise<void> {
    const added = jobs.map(({ name, key, data }) => ({ name, data, opts: this.#optionsOf(name, key) }));
    await this.#ask(() => this.queue.addBulk(added));
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
    const counts = await this.#ask(() => this.queue.getJobCounts('waiting', 'active', 'delayed', 'failed'));
    const [next] = await this.#ask(() => this.queue.getJobs(['waiting'], 0, 0, true));
    const [due] = await this.#ask(() => this.queue.getJobs(['delayed'], 0, 0, true));
    const since = Math.min(next?.timestamp ?? Infinity, due ? dueAt(due) : Infinity);
    return { counts, nextAt: since < Infinity ? timeOf(since) : undefined };
  }

  async list(states: readonly JobState[], limit: number): Promise<JobView[]> {
    return this.#ask(async () => {
      const found = await this.queue.getJobs([...states], 0, limit - 1);
      return Promise.all(found.filter(Boolean).map(viewOf));
    });
  }

  async find(id: string): Promise<JobView | undefined> {
    return this.#ask(async () => {
      const job = await this.queue.getJob(id);
      return job && viewOf(job);
    });
  }

  /**
   * Runs a job that failed, or waits for its next attempt, now.
   *
   * @returns false when there is no such job
   * @throws JobNeedsNoRetry
   */
  async retry(id: string): Promise<boolean> {
    return this.#ask(async () => {
      const job = await this.queue.getJob(id);
      if (!job) return false;
      const state = await job.getState();
      if (state === 'failed') await job.retry();
      else if (state === 'delayed') await job.promote();
      else throw new JobNeedsNoRetry(`the job is ${state}: neither failed nor waiting for its next attempt`);
      return true;
    });
  }

  /** A Redis that is away is told nothing: it would do it whenever it is back. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    if (!(await this.backend.readyWithin(PATIENCE_MILLIS))) throw new QueueAway('the queue is away');
    return bounded(question());
  }

  #optionsOf(name: string, key: string): JobsOptions {
    const job = this.jobs.of(name);
    if (!job) throw new TypeError(`there is no job ${name}`);
    const { attempts, backoffMillis } = job;
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
