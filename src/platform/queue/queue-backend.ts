import { setTimeout as after } from 'node:timers/promises';
import type { BullRootModuleOptions } from '@nestjs/bullmq';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common';
import {
  createPostgresBackend,
  createRedisBackend,
  setDefaultBackendFactory,
  type BackendFactory,
  type IQueueBackend,
} from 'bullmq';
import { Cluster, Redis } from 'ioredis';
import { Config } from '../../config/config.js';
import { openPool, type PostgresConnection } from '../postgres/connection.js';
import { queueSchema } from '../postgres/queue-schema.js';
import { QueueRedis } from './queue-redis.js';

/** All keys of a Redis cluster in one slot: BullMQ's scripts touch several at once. */
const PREFIX = '{authplane}';
const DAY_SECONDS = 86_400;
/** The queues' and the workers' statements, and what each worker listens on. */
const CONNECTIONS = 7;
/** None of BullMQ's statements waits for anything. */
const PATIENCE_MILLIS = 3_000;
const END_MILLIS = 1_000;
/** How long a worker rests after a queue refused to give it a job. */
const REST_MILLIS = 1_000;

/**
 * One process may hold applications of both kinds, so what decides is the connection that a queue is given, not a process-wide switch.
 */
setDefaultBackendFactory(((name, options, roles) =>
  resting(
    options.connection instanceof Redis || options.connection instanceof Cluster
      ? // The check would ask for INFO, which hosted Redis services may refuse.
        createRedisBackend(name, { ...options, skipVersionCheck: true }, roles)
      : createPostgresBackend(name, options as never, roles),
  )) as BackendFactory);

/**
 * A worker that is refused a job asks again at once: BullMQ waits only where the connection is refused. What lasts (a right that is missing,
 * a Redis out of memory) would keep the whole process busy, so the refusal itself takes its time.
 */
function resting(backend: IQueueBackend): IQueueBackend {
  const moveToActive = backend.moveToActive.bind(backend);
  backend.moveToActive = (...args) =>
    moveToActive(...args).catch(async (error: unknown) => {
      await after(REST_MILLIS, undefined, { ref: false });
      throw error;
    });
  return backend;
}

/** Where jobs lie: in Redis where there is one, else in BullMQ's own tables beside ours (P11). */
@Injectable()
export class QueueBackend implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly options: BullRootModuleOptions;
  readonly #redis: QueueRedis | undefined;
  readonly #pool: ReturnType<typeof openPool> | undefined;

  constructor({ redis }: Config, postgres: PostgresConnection) {
    this.#redis = redis.isSet ? new QueueRedis(redis) : undefined;
    this.#pool = this.#redis ? undefined : poolOf(postgres);
    this.options = {
      prefix: PREFIX,
      connection: this.#redis?.connection ?? (this.#pool as object),
      defaultJobOptions: {
        removeOnComplete: { age: DAY_SECONDS / 24, count: 10_000 },
        removeOnFail: { age: 7 * DAY_SECONDS, count: 10_000 },
      },
    };
  }

  /** False while it is known to be away: what it is told then, it would do whenever it is back. */
  get isReady(): boolean {
    return this.#redis?.isReady ?? true;
  }

  async readyWithin(millis: number): Promise<boolean> {
    return this.#redis?.readyWithin(millis) ?? true;
  }

  /** Hears each time that the queue can be asked again. */
  onReady(listener: () => void): void {
    this.#redis?.connection.on('ready', listener);
  }

  /** Closing a queue waits for its Redis, which may be away. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.#redis && !(await this.#redis.answers())) await this.#redis.cutOff();
  }

  /** The pool says goodbye to a database that may be away. */
  async onApplicationShutdown(): Promise<void> {
    this.#redis?.disconnect();
    const ended = this.#pool?.end().catch(() => {});
    await Promise.race([ended, after(END_MILLIS, undefined, { ref: false })]);
  }
}

function poolOf(postgres: PostgresConnection): ReturnType<typeof openPool> {
  const options = `-c search_path=${queueSchema}`;
  const pool = openPool(postgres, { max: CONNECTIONS, options, query_timeout: PATIENCE_MILLIS });
  return pool.setMaxListeners(0);
}
