import type { BullRootModuleOptions } from '@nestjs/bullmq';
import { Injectable, type BeforeApplicationShutdown, type OnApplicationShutdown } from '@nestjs/common';
import { createPostgresBackend, createRedisBackend, setDefaultBackendFactory, type BackendFactory } from 'bullmq';
import { Config } from '../../config/config.js';
import { clientConfig, type PostgresConnection } from '../postgres/connection.js';
import { queueSchema } from '../postgres/queue-schema.js';
import { QueueRedis } from './queue-redis.js';

/** All keys of a Redis cluster in one slot: BullMQ's scripts touch several at once. */
const PREFIX = '{authplane}';
const DAY_SECONDS = 86_400;

/**
 * One process may hold applications of both kinds, so what decides is the connection that a queue is given, not a process-wide switch.
 */
setDefaultBackendFactory(((name, options, roles) =>
  options.connection instanceof QueueRedis
    ? createRedisBackend(name, options, roles)
    : createPostgresBackend(name, options as never, roles)) as BackendFactory);

/** Where jobs lie: in Redis where there is one, else in BullMQ's own tables beside ours (P11). */
@Injectable()
export class QueueBackend implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly options: BullRootModuleOptions;
  readonly #redis: QueueRedis | undefined;

  constructor({ redis }: Config, postgres: PostgresConnection) {
    this.#redis = redis.url ? new QueueRedis(redis.url) : undefined;
    this.#redis?.on('error', () => {}); // the queue tells
    this.options = {
      prefix: PREFIX,
      connection: this.#redis ?? ({ ...clientConfig(postgres), max: 2, schema: queueSchema } as object),
      defaultJobOptions: {
        removeOnComplete: { age: DAY_SECONDS / 24, count: 10_000 },
        removeOnFail: { age: 7 * DAY_SECONDS, count: 10_000 },
      },
    };
  }

  /** Closing a queue waits for its Redis, which may be away. */
  async beforeApplicationShutdown(): Promise<void> {
    if (this.#redis && !(await this.#redis.answers())) await this.#redis.cutOff();
  }

  onApplicationShutdown(): void {
    this.#redis?.disconnect();
  }
}
