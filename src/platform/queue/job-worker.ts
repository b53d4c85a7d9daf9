import { setTimeout as after } from 'node:timers/promises';
import { OnWorkerEvent, Processor, WorkerHost } from '@nestjs/bullmq';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { UnrecoverableError, type Job as QueuedJob } from 'bullmq';
import { Config } from '../../config/config.js';
import { jobFailures } from '../telemetry/runtime-metrics.js';
import { queueOf } from './job-queue.js';
import { Jobs } from './jobs.js';
import { observedJob } from './observed-job.js';

/** How long a stopping process waits for the jobs it is doing; what is not done by then is done again elsewhere. */
const PATIENCE_MILLIS = 8_000;

/** Does the jobs of a lane. What a replica was doing when it died is done again by another one after half a minute. */
@Injectable()
abstract class LaneWorker extends WorkerHost implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger('JobWorker');
  #lastError = '';
  #started = false;

  constructor(
    private readonly jobs: Jobs,
    private readonly config: Config,
  ) {
    super();
  }

  onApplicationBootstrap(): void {
    this.#started = true;
    if (this.config.server.role === 'server') return;
    // A series that begins with its first failure has no rate, and no alert would see it.
    for (const { name } of this.jobs.all())
      for (const final of ['true', 'false']) jobFailures.inc({ job_name: name, final }, 0);
    this.worker.run().catch((error: unknown) => this.#log.error(`the worker ended: ${String(error)}`));
  }

  async process({ name, data, repeatJobKey }: QueuedJob): Promise<void> {
    const job = this.jobs.of(name);
    // Perhaps of a later version, whose replicas will have had their turn. Its schedules stay here when it is rolled back.
    if (!job && repeatJobKey !== undefined) return;
    if (!job) throw new UnrecoverableError(`there is no job ${name}`);
    await observedJob(name, data as object, () => job.run(data as object));
  }

  /** Nest would wait for BullMQ without end, and BullMQ for a Redis that is away. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.#started) return;
    const { worker } = this;
    const closed = new AbortController();
    const late = after(PATIENCE_MILLIS, undefined, { signal: closed.signal }).catch(() => {});
    await Promise.race([worker.close().catch(() => {}), late]);
    closed.abort();
    worker.close = () => Promise.resolve();
  }

  @OnWorkerEvent('failed')
  async failed(queued: QueuedJob | undefined, error: Error): Promise<void> {
    if (!queued) return;
    const { name, id, attemptsMade, data } = queued;
    const over = attemptsMade >= (queued.opts.attempts ?? 1) || error instanceof UnrecoverableError;
    jobFailures.inc({ job_name: this.jobs.of(name) ? name : 'other', final: String(over) });
    this.#log.warn({ message: `job ${name} failed`, job: id, attemptsMade, over, error: error.message });
    if (!over) return;
    await this.jobs
      .of(name)
      ?.giveUp(data as object, error)
      .catch((cause: unknown) =>
        this.#log.error({ message: `giving up ${name} failed`, job: id, error: String(cause) }),
      );
  }

  @OnWorkerEvent('error')
  away({ message }: Error): void {
    if (message !== this.#lastError) this.#log.warn(`the worker cannot reach the queue: ${message}`);
    this.#lastError = message;
  }
}

@Processor(queueOf.own, { concurrency: 4, autorun: false })
export class JobWorker extends LaneWorker {}

/** Waiting costs little, so more of it is done at once; still none of it may hold up our own work. */
@Processor(queueOf.outside, { concurrency: 8, autorun: false })
export class OutgoingJobWorker extends LaneWorker {}
