import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Logger } from '@nestjs/common';
import { MetricsOfWorkers } from './platform/telemetry/metrics-of-workers.js';

/** Whoever dies within this long was no good from the beginning, and is replaced ever more slowly. */
const SETTLED_MILLIS = 60_000;
const PAUSE_MILLIS = 200;
const LONGEST_PAUSE_MILLIS = 30_000;
/** Beyond what requests in flight may take: for jobs and connections to end. */
const GRACE_MILLIS = 15_000;

interface Settings {
  readonly workers: number;
  readonly shutdownWaitSeconds: number;
}

/**
 * The processes that `server.workers` asks for. They share the listeners: this process accepts connections and gives them out in turn.
 * When it dies they end at once, so that none is left behind.
 */
export class Workers {
  readonly #log = new Logger('Workers');
  readonly #alive = new Map<number, Worker>();
  readonly #waiting = new Set<NodeJS.Timeout>();
  readonly #metrics = new MetricsOfWorkers();
  #stopping = false;

  private constructor(private readonly settings: Settings) {}

  /** @throws Error when the first one does not answer; it has said why */
  static async start(settings: Settings): Promise<Workers> {
    const workers = new Workers(settings);
    try {
      // The first makes what they share, such as the first signing key; and what is wrong with all of them it says alone.
      await workers.#keep(1);
      await Promise.all(Array.from({ length: settings.workers - 1 }, (_, index) => workers.#keep(index + 2)));
    } catch (error) {
      await workers.close();
      throw error;
    }
    return workers;
  }

  /** Lets each finish what it is doing, for as long as `server.shutdown_wait` and a little more. */
  async close(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#waiting) clearTimeout(timer);
    const left = [...this.#alive.values()].map(({ process: child }) => child);
    const ended = Promise.all(left.map((child) => once(child, 'exit')));
    for (const child of left) child.kill('SIGTERM');
    const late = new AbortController();
    const patience = this.settings.shutdownWaitSeconds * 1000 + GRACE_MILLIS;
    const killing = sleep(patience, undefined, { signal: late.signal }).then(
      () => left.forEach((child) => child.kill('SIGKILL')),
      () => {},
    );
    await ended;
    late.abort();
    await killing;
  }

  /** Starts the worker of a place, and again whenever it dies. @returns when it answers for the first time */
  #keep(place: number, deaths = 0): Promise<void> {
    const worker = cluster.fork();
    const startedAt = performance.now();
    const pid = worker.process.pid;
    this.#alive.set(place, worker);
    return new Promise((resolve, reject) => {
      worker.on('message', (message) => {
        if (message !== 'ready') return; // or else it asks for metrics
        this.#log.log({ message: `worker ${place} answers`, pid });
        this.#metrics.add(place, worker);
        resolve();
      });
      worker.process.once('exit', (code: number | null, signal: string | null) => {
        this.#alive.delete(place);
        reject(new Error(`worker ${place} ended with ${signal ?? code} before it answered`));
        if (this.#stopping) return;
        const early = performance.now() - startedAt < SETTLED_MILLIS ? deaths + 1 : 0;
        const pause = Math.min(PAUSE_MILLIS * 2 ** Math.max(early - 1, 0), LONGEST_PAUSE_MILLIS);
        this.#log.warn({ message: `worker ${place} ended with ${signal ?? code}`, pid, pause });
        this.#later(pause, () => void this.#keep(place, early).catch(() => {}));
      });
    });
  }

  #later(millis: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#waiting.delete(timer);
      work();
    }, millis);
    this.#waiting.add(timer);
  }
}
