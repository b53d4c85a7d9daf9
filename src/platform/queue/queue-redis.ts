import { once } from 'node:events';
import { Redis, type RedisOptions } from 'ioredis';

const PATIENCE_MILLIS = 1_000;

/**
 * BullMQ's connections to Redis. They wait for a Redis that is away, as long as it takes; at the end nobody does, so all of them can be
 * cut off.
 */
export class QueueRedis extends Redis {
  readonly #copies: Redis[] = [];
  readonly #end: { reached: boolean };

  constructor(url: string) {
    const end = { reached: false };
    super(url, {
      maxRetriesPerRequest: null,
      connectTimeout: PATIENCE_MILLIS,
      retryStrategy: (attempt) => (end.reached ? null : Math.min(50 * attempt, PATIENCE_MILLIS)),
    });
    this.#end = end;
  }

  /** A worker blocks one of its own. */
  override duplicate(override?: Partial<RedisOptions>): Redis {
    const copy = super.duplicate(override);
    this.#copies.push(copy);
    return copy;
  }

  /** Ends all of them. Whatever waits for an answer fails, within a second or two. */
  async cutOff(): Promise<void> {
    this.#end.reached = true;
    const open = [this, ...this.#copies].filter(({ status }) => status !== 'end');
    const ends = open.map((connection) => once(connection, 'end'));
    // One that is between two attempts is left to its last: a disconnect would stop it there, with everything waiting for ever.
    for (const connection of open) if (connection.status !== 'reconnecting') connection.disconnect();
    await Promise.all(ends);
  }

  /** Whether it answers now. */
  async answers(): Promise<boolean> {
    if (this.status !== 'ready') return false;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => (timer = setTimeout(resolve, PATIENCE_MILLIS, false)));
    const pong = this.ping().then(
      () => true,
      () => false,
    );
    return Promise.race([pong, late]).finally(() => clearTimeout(timer));
  }
}
