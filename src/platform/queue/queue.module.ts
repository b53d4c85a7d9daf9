import { BullModule } from '@nestjs/bullmq';
import { Module, type DynamicModule } from '@nestjs/common';
import { DiscoveryModule } from '@nestjs/core';
import { Config } from '../../config/config.js';
import type { PostgresConnection } from '../postgres/connection.js';
import { JobQueue, queueOf } from './job-queue.js';
import { JobWorker, OutgoingJobWorker } from './job-worker.js';
import { Jobs } from './jobs.js';
import { QueueBackend } from './queue-backend.js';
import { RegularJobs } from './regular-jobs.js';

@Module({})
class QueueBackendModule {}

/**
 * Queue — work that is done after the answer.
 * Owns: the two queues on BullMQ (Redis, else its tables in Postgres), their workers, schedules; `Job`, which other modules subclass.
 * Not here: what a job does (its module); how a commit leads to a job (outbox/).
 * Holds always: nothing that a token's validity depends on waits for a job; a job's data are ids, never secrets; a job that was running
 * when its process died runs again; what waits for somebody else's server holds up nothing of our own.
 */
@Module({})
export class QueueModule {
  static of(connection: PostgresConnection): DynamicModule {
    const backend: DynamicModule = {
      module: QueueBackendModule,
      providers: [
        {
          provide: QueueBackend,
          inject: [Config],
          useFactory: (config: Config) => new QueueBackend(config, connection),
        },
      ],
      exports: [QueueBackend],
    };
    return {
      module: QueueModule,
      global: true,
      imports: [
        backend,
        DiscoveryModule,
        BullModule.forRootAsync({
          imports: [backend],
          inject: [QueueBackend],
          useFactory: ({ options }: QueueBackend) => options,
        }),
        BullModule.registerQueue({ name: queueOf.own }, { name: queueOf.outside }),
      ],
      providers: [Jobs, JobQueue, JobWorker, OutgoingJobWorker, RegularJobs],
      exports: [JobQueue],
    };
  }
}
