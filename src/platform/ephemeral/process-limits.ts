import { BoundedMemoryLimiter } from './bounded-memory-limiter.js';
import { CountingLimits } from './counting-limits.js';
import type { Limit } from './limits.js';

/** Limits of this process alone: used when there is no Redis. */
export class ProcessLimits extends CountingLimits {
  protected create({ points, windowSeconds }: Limit): BoundedMemoryLimiter {
    return new BoundedMemoryLimiter({ points, windowSeconds });
  }
}
