import { Global, Module } from '@nestjs/common';
import { OutboxRelay } from './outbox-relay.js';
import { Outbox } from './outbox.js';

/**
 * Outbox — from a commit to a job.
 * Owns: the table outbox. Not here: what the jobs do, the queue they wait in (queue/).
 * Holds always: a row is written in the commit that it tells of, and leaves only when the queue has the job; telling twice is telling
 * once, by the job's key.
 */
@Global()
@Module({ providers: [Outbox, OutboxRelay], exports: [Outbox] })
export class OutboxModule {}
