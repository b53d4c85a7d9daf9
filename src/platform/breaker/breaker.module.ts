import { Global, Module } from '@nestjs/common';
import { Breakers } from './breakers.js';

/**
 * Breaker — that a slow dependency does not take every request with it.
 * Owns: `Breaker`, and the list of all for readiness and metrics. Not here: what a failure is, and what is said instead (who has one).
 * Holds always: what is not asked fails at once and did not happen; an open one lets somebody through every few seconds.
 */
@Global()
@Module({ providers: [Breakers], exports: [Breakers] })
export class BreakerModule {}
