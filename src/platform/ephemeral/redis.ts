import { Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { ReplyError, type Cluster, type Redis, type RedisOptions } from 'ioredis';
import { Breaker } from '../breaker/breaker.js';
import type { Breakers } from '../breaker/breakers.js';
import { clusterScripts, markerKey, scripts } from './redis-scripts.js';
import { openRedis, retryMillis, type RedisTarget } from './redis-target.js';
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
  retryStrategy: retryMillis,
  // After a failover this may still be the former primary, which refuses writes: dial again.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
};

/** How many commands in vain, half of all in ten seconds, are enough to ask no more for a while. */
const FAILURES = 3;
const REST_MILLIS = 1_000;

/** The one connection of this process to Redis. It reconnects forever; its state is logged when it changes, not per error. */
export class RedisConnection implements OnModuleInit, OnApplicationShutdown {
  readonly client: Redis | Cluster;
  readonly #log = new Logger('Redis');
  readonly #breaker = new Breaker({ failures: FAILURES, restMillis: REST_MILLIS, isFailure: isSilence });
  #generation = 0;
  #state: 'unknown' | 'ready' | 'away' | 'closed' = 'unknown';
  #lastError = 'the connection was closed';

  /** @param target may hold passwords: it is never logged. */
  constructor(target: RedisTarget, breakers?: Breakers) {
    const inCluster = Boolean(target.clusterNodes?.length);
    const own = { scripts: inCluster ? clusterScripts : scripts, lazyConnect: true };
    this.client = openRedis(target, { ...failFast, ...own });
    traceCommands(this.client);
    breakers?.add('redis', () => [this.#breaker.view]);
    this.client.on('error', (error: Error) => {
      this.#lastError = error.message;
      // While sentinels are asked in vain nothing is opened that could be closed.
      if (this.#state === 'unknown') this.#became('away');
    });
    this.client.on('ready', () => this.#became('ready'));
    this.client.on('close', () => {
      this.#generation++;
      this.#became('away');
    });
    // Of a cluster: one of its nodes, which may have been ours.
    this.client.on('-node', () => this.#generation++);
  }

  /** Rises whenever a connection ends: what was learned about the server on the former one must be learned again. */
  get generation(): number {
    return this.#generation;
  }

  /** Hears each time that a connection can be used. */
  onReady(listener: () => void): void {
    this.client.on('ready', listener);
  }

  /**
   * Asks it something. One that only makes people wait is left alone for a second.
   *
   * @throws what `work` throws; NotAsked
   */
  ask<T>(work: (client: Redis | Cluster) => Promise<T>): Promise<T> {
    return this.#breaker.run(() => work(this.client));
  }

  /** `INFO server` of the one that remembers for us. */
  serverInfo(): Promise<string> {
    return this.ask((client) => (client.isCluster ? client.serverInfo(markerKey) : (client as Redis).info('server')));
  }

  /** One attempt is waited for; a server that starts while Redis is away starts degraded. */
  async onModuleInit(): Promise<void> {
    // Of sentinels that do not know it either, one `connect` asks again without end, and tells of each time.
    const inVain = new Promise<unknown>((told) => this.client.once('error', told));
    await Promise.race([this.client.connect().catch(() => undefined), inVain]);
  }

  onApplicationShutdown(): void {
    this.#state = 'closed';
    this.#breaker.end();
    this.client.disconnect();
  }

  #became(state: 'ready' | 'away'): void {
    if (this.#state === state || this.#state === 'closed') return;
    if (state === 'away') this.#log.warn(`Redis is away: ${this.#lastError}`);
    else {
      this.#log.log('Redis answers');
      this.#breaker.close();
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

/** Whoever answers is there, whatever he says: a refusal, an error of a script, a limit that is reached. */
function isSilence(error: unknown): boolean {
  return error instanceof Error && !(error instanceof ReplyError);
}
