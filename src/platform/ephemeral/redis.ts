import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Redis, type RedisOptions } from 'ioredis';
import { scripts } from './redis-scripts.js';
import { traceCommands } from './traced-commands.js';

/**
 * A request that needs Redis must hear within a second that it is away. Each option alone is not enough: without
 * `commandTimeout` a frozen Redis hangs forever, without `enableOfflineQueue: false` a killed one does. Nor may a command
 * wait for, or be sent again on, the next connection: it may lead to another Redis.
 */
const failFast: RedisOptions = {
  commandTimeout: 1000,
  socketTimeout: 1000,
  connectTimeout: 1000,
  maxRetriesPerRequest: 0,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  retryStrategy: (attempt) => Math.min(50 * attempt, 1000),
  // After a failover this may still be the former primary, which refuses writes: dial again.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

/** The one connection of this process to Redis. It reconnects forever; its state is logged when it changes, not per error. */
export class RedisConnection implements OnModuleInit, OnApplicationShutdown {
  readonly client: Redis;
  readonly #log = new Logger('Redis');
  #generation = 0;
  #state: 'unknown' | 'ready' | 'away' | 'closed' = 'unknown';
  #lastError = 'the connection was closed';

  /** @param url `redis://` or `rediss://`, may hold a password: it is never logged. */
  constructor(url: string) {
    this.client = new Redis(url, { ...failFast, scripts, lazyConnect: true });
    traceCommands(this.client);
    this.client.on('error', (error: Error) => (this.#lastError = error.message));
    this.client.on('ready', () => this.#became('ready'));
    this.client.on('close', () => {
      this.#generation++;
      this.#became('away');
    });
  }

  /** Rises whenever a connection ends: what was learned about the server on the former one must be learned again. */
  get generation(): number {
    return this.#generation;
  }

  /** One attempt is waited for; a server that starts while Redis is away starts degraded. */
  async onModuleInit(): Promise<void> {
    await this.client.connect().catch(() => undefined);
  }

  onApplicationShutdown(): void {
    this.#state = 'closed';
    this.client.disconnect();
  }

  #became(state: 'ready' | 'away'): void {
    if (this.#state === state || this.#state === 'closed') return;
    if (state === 'away') this.#log.warn(`Redis is away: ${this.#lastError}`);
    else {
      this.#log.log('Redis answers');
      void this.#warnOfEviction();
    }
    this.#state = state;
  }

  /** Single claims that were dropped are not noticed, and may be used again. One that forbids INFO is not asked further. */
  async #warnOfEviction(): Promise<void> {
    const info = await this.client.info('memory').catch(() => '');
    const policy = /^maxmemory_policy:([\w-]+)/m.exec(info)?.[1] ?? 'noeviction';
    if (policy === 'noeviction' || /^maxmemory:0\r?$/m.test(info)) return;
    this.#log.warn(`Redis may drop what must not be forgotten (maxmemory-policy ${policy}): set it to noeviction`);
  }
}
