import { Module } from '@nestjs/common';
import { HealthController } from './health.controller.js';
import { Readiness } from './readiness.js';

/**
 * Health — what a load balancer and an operator ask.
 * Owns: /livez, /ready and /health, on both listeners. Not here: metrics.
 * Holds always: /livez never looks at a dependency, so that an outage of the database takes no JWKS away.
 */
@Module({ controllers: [HealthController], providers: [Readiness] })
export class HealthModule {}
