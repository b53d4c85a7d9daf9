import { Global, Module } from '@nestjs/common';
import { Dependencies } from './dependencies.js';
import { HealthController } from './health.controller.js';
import { PlatformGauges } from './platform-gauges.js';
import { Readiness } from './readiness.js';

/**
 * Health — what a load balancer and an operator ask.
 * Owns: /livez, /ready and /health, on both listeners; `Dependencies`, where modules name what they need. Also the gauges of what it all runs on.
 * Holds always: /livez never looks at a dependency, so that an outage of the database takes no JWKS away.
 */
@Global()
@Module({
  controllers: [HealthController],
  providers: [Readiness, Dependencies, PlatformGauges],
  exports: [Dependencies],
})
export class HealthModule {}
