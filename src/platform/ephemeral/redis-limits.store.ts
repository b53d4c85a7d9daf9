import { RateLimiterRedis } from 'rate-limiter-flexible';
import { BoundedMemoryLimiter } from './bounded-memory-limiter.js';
import { CountingLimits } from './counting-limits.js';
import type { Limit } from './limits.js';
import { keyPrefix } from './redis-scripts.js';
import { RedisConnection } from './redis.js';

/** Limits shared by all processes through Redis. While it is away each process counts for itself. */
export class RedisLimits extends CountingLimits {
  constructor(private readonly redis: RedisConnection) {
    super();
  }

  protected create({ name, points, windowSeconds }: Limit): RateLimiterRedis {
    return new RateLimiterRedis({
      storeClient: this.redis.client,
      keyPrefix: `${keyPrefix}limit:${name}`,
      points,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
      insuranceLimiter: new BoundedMemoryLimiter({ points, windowSeconds }),
    });
  }
}
