import { RateLimiterRedis, RateLimiterRes, type IRateLimiterRedisOptions } from 'rate-limiter-flexible';
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
    const options = {
      storeClient: this.redis.client,
      keyPrefix: `${keyPrefix}limit:${name}`,
      points,
      duration: windowSeconds,
      rejectIfRedisNotReady: true,
    };
    return new InsuredLimiter(options, this.redis, new BoundedMemoryLimiter({ points, windowSeconds }));
  }
}

/** The library's own insurance would ask a Redis first that is known to be silent, every time. */
class InsuredLimiter extends RateLimiterRedis {
  constructor(
    options: IRateLimiterRedisOptions,
    private readonly redis: RedisConnection,
    private readonly own: BoundedMemoryLimiter,
  ) {
    super(options);
  }

  override consume(key: string): Promise<RateLimiterRes> {
    return this.#either(
      () => super.consume(key),
      () => this.own.consume(key),
    );
  }

  override get(key: string): Promise<RateLimiterRes | null> {
    return this.#either(
      () => super.get(key),
      () => this.own.get(key),
    );
  }

  override reward(key: string): Promise<RateLimiterRes> {
    return this.#either(
      () => super.reward(key),
      () => this.own.reward(key),
    );
  }

  override block(key: string, seconds: number): Promise<RateLimiterRes> {
    return this.#either(
      () => super.block(key, seconds),
      () => this.own.block(key, seconds),
    );
  }

  override delete(key: string): Promise<boolean> {
    return this.#either(
      () => super.delete(key),
      () => this.own.delete(key),
    );
  }

  /** A refusal is an answer; everything else is none. */
  #either<T>(inRedis: () => Promise<T>, here: () => Promise<T>): Promise<T> {
    return this.redis.ask(inRedis).catch((error: unknown) => {
      if (error instanceof RateLimiterRes) throw error;
      return here();
    });
  }
}
