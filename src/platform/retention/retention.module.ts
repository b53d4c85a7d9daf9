import { Module } from '@nestjs/common';
import { ExpirySweepJob } from './expiry-sweep.job.js';

/**
 * Retention — what is kept for how long.
 * Owns: which rows have expired, and the job that frees their space. Not here: whether something is still valid, which every reader
 * decides by itself; that partitions are there (postgres/).
 * Holds always: no answer depends on a sweep; it deletes in steps of milliseconds.
 */
@Module({ providers: [ExpirySweepJob] })
export class RetentionModule {}
