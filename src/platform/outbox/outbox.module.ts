import { Global, Module } from '@nestjs/common';
import { Outbox } from './outbox.js';

/**
 * Outbox — from a commit to a job.
 * Owns: the table outbox.
 */
@Global()
@Module({ providers: [Outbox], exports: [Outbox] })
export class OutboxModule {}
