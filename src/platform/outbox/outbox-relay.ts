import { AsyncLocalStorage } from 'node:async_hooks';
import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Database } from '../postgres/database.js';
import { JobQueue } from '../queue/job-queue.js';

interface OutboxRow {
  id: string;
  topic: string;
  key: string;
  payload: object;
}

const BATCH = 100;
/** Topics of a later version are left to its replicas. By time, since a trigger's ids have none. */
export const OLDEST = `select id, topic, key, payload from outbox where topic = any($2)
  order by created_at limit $1 for update skip locked`;
/** How soon a row that this process wrote is looked for, and how soon one that another wrote. */
const SOON_MILLIS = 20;
const REGULARLY_MILLIS = 2_000;

/**
 * Carries the outbox to the queue. A row goes only after the queue has it; what is carried twice is one job by its key. Replicas share
 * the work: each skips what another is carrying.
 */
@Injectable()
export class OutboxRelay implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger(OutboxRelay.name);
  /** Whoever wakes it lends it no request id: it carries the rows of all. */
  readonly #outside = AsyncLocalStorage.snapshot();
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #stopped = true;
  #failing = false;

  constructor(
    private readonly database: Database,
    private readonly queue: JobQueue,
  ) {}

  onApplicationBootstrap(): void {
    this.#stopped = false;
    this.#later(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#running;
  }

  wake(): void {
    this.#later(SOON_MILLIS);
  }

  #later(millis: number): void {
    if (this.#stopped) return;
    clearTimeout(this.#timer);
    this.#timer = this.#outside(() =>
      setTimeout(() => {
        this.#running = (this.#running ?? Promise.resolve()).then(() => this.#run());
      }, millis).unref(),
    );
  }

  async #run(): Promise<void> {
    try {
      while (!this.#stopped && (await this.#carry()) === BATCH);
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) this.#log.warn({ message: 'the outbox waits', error: String(error) });
      this.#failing = true;
    }
    this.#later(REGULARLY_MILLIS);
  }

  #carry(): Promise<number> {
    return this.database.transaction(async (tx) => {
      const rows: OutboxRow[] = await tx.query(OLDEST, [BATCH, this.queue.known]);
      if (rows.length === 0) return 0;
      await this.queue.add(rows.map(({ topic, key, payload }) => ({ name: topic, key, data: payload })));
      await tx.query('delete from outbox where id = any($1::uuid[])', [rows.map(({ id }) => id)]);
      return rows.length;
    });
  }
}
