import { once } from 'node:events';
import type { Cluster, Redis } from 'ioredis';
import { openRedis, type RedisTarget } from '../ephemeral/redis-target.js';

const PATIENCE_MILLIS = 1_000;

/**
 * BullMQ's connections to Redis. They wait for a Redis that is away, as long as it takes; at the end nobody does, so all of them can be
 * cut off.
 */
export class QueueRedis {
  readonly connection: Redis | Cluster;
  readonly #copies: (Redis | Cluster)[] = [];
  #over = false;

  constructor(target: RedisTarget) {
    this.connection = openRedis(target, {
      maxRetriesPerRequest: null,
      connectTimeout: PATIENCE_MILLIS,
      retryStrategy: (attempt) => (this.#over ? null : Math.min(50 * attempt, PATIENCE_MILLIS)),
    });
    this.connection.setMaxListeners(0).on('error', () => {}); // the queue tells
    this.#watchCopies();
  }

  /** Ends all of them. Whatever waits for an answer fails, within a second or two. */
  async cutOff(): Promise<void> {
    this.#over = true;
    const open = [this.connection, ...this.#copies].filter(({ status }) => status !== 'end');
    await Promise.all(open.map(endOf));
  }

  disconnect(): void {
    this.connection.disconnect();
  }

  get isReady(): boolean {
    return this.connection.status === 'ready';
  }

  /** Whether it is there by now, or after one attempt to reach it that does not take longer than this. */
  async readyWithin(millis: number): Promise<boolean> {
    if (this.isReady) return true;
    return once(this.connection, 'ready', { signal: AbortSignal.timeout(millis) }).then(
      () => true,
      () => false,
    );
  }

  /** Whether it answers now. */
  async answers(): Promise<boolean> {
    if (!this.isReady) return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, PATIENCE_MILLIS, false)));
    const pong = this.connection.ping().then(
      () => true,
      () => false,
    );
    return Promise.race([pong, late]).finally(() => clearTimeout(timer));
  }

  /** A worker blocks one of its own. */
  #watchCopies(): void {
    const duplicate = this.connection.duplicate.bind(this.connection) as (...args: unknown[]) => Redis | Cluster;
    const watched = (...args: unknown[]): Redis | Cluster => {
      const copy = duplicate(...args);
      this.#copies.push(copy);
      return copy;
    };
    Object.assign(this.connection, { duplicate: watched });
  }
}

/** One that is between two attempts is ended in the next: a disconnect would stop it there, with everything waiting for ever. */
function endOf(connection: Redis | Cluster): Promise<void> {
  const { status, isCluster } = connection;
  const end = () => connection.disconnect();
  return new Promise((ended) => {
    connection.once('end', () => ended());
    // A cluster dials while it is `connecting`, too, and calls itself `close` between two attempts.
    if (isCluster && status !== 'connect' && status !== 'ready') connection.once('connect', end);
    else if (!isCluster && status === 'reconnecting') connection.once('connecting', end);
    else end();
  });
}
