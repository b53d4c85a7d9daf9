import { InjectQueue } from '@nestjs/bullmq';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import type { Queue } from 'bullmq';
import { queueOf } from './job-queue.js';
import { Jobs } from './jobs.js';
import { QueueBackend } from './queue-backend.js';

const LOOK_MILLIS = 60_000;

/**
 * Keeps the schedules of regular jobs in the queue. A Redis may come back empty, or be emptied while it runs, and nothing but this would
 * run them again; so whenever it is back, and every minute, those that are missing are set.
 */
@Injectable()
export class RegularJobs implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger(RegularJobs.name);
  #timer: NodeJS.Timeout | undefined;
  #looking = false;
  #stopped = false;
  /** By this process, whose version may run a job more often than the one before. */
  #everSet = false;

  constructor(
    @InjectQueue(queueOf.own) private readonly queue: Queue,
    private readonly jobs: Jobs,
    private readonly backend: QueueBackend,
  ) {}

  /** A process starts without waiting for its queue. */
  onApplicationBootstrap(): void {
    this.backend.onReady(() => this.#look());
    this.#timer = setInterval(() => this.#look(), LOOK_MILLIS).unref();
    this.#look();
  }

  beforeApplicationShutdown(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#stopped || this.#looking || !this.backend.isReady) return;
    this.#looking = true;
    void this.#setMissing()
      .catch((error: unknown) => {
        if (!this.#stopped) this.#log.warn({ message: 'regular jobs could not be scheduled', error: String(error) });
      })
      .finally(() => (this.#looking = false));
  }

  /** A schedule is known by its job's name: what another replica sets meanwhile is the same. */
  async #setMissing(): Promise<void> {
    const schedules = this.#everSet ? await this.queue.getJobSchedulers() : [];
    const there = new Set(schedules.map(({ key }) => key));
    for (const { name, everyMillis, attempts, backoffMillis } of this.jobs.all()) {
      if (everyMillis === undefined || there.has(name)) continue;
      const template = { name, data: {}, opts: { attempts, backoff: { type: 'exponential', delay: backoffMillis } } };
      await this.queue.upsertJobScheduler(name, { every: everyMillis }, template);
    }
    this.#everSet = true;
  }
}
