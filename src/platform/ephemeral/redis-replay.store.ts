import { OAuthError } from '#libs/oauth';
import { Clock } from '../clock/clock.js';
import { RedisContinuity } from './redis-continuity.js';
import { keyPrefix, RedisConnection } from './redis.js';
import { ReplayStore } from './replay-store.js';

/** Claims in Redis. A claim that timed out may still be executed: its proof is spent then, and the client makes a new one. */
export class RedisReplayStore extends ReplayStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly continuity: RedisContinuity,
    private readonly clock: Clock,
  ) {
    super();
  }

  async claim(key: Buffer, expiresAt: Date): Promise<boolean> {
    await this.continuity.run();
    const milliseconds = Math.max(1, expiresAt.getTime() - this.clock.now().getTime());
    const name = `${keyPrefix}replay:${key.toString('base64url')}`;
    try {
      return (await this.redis.client.set(name, '1', 'PX', milliseconds, 'NX')) === 'OK';
    } catch (cause) {
      throw new OAuthError('try-again', 'redis_unavailable', { cause });
    }
  }

  async forgotAt(): Promise<Date | undefined> {
    return (await this.continuity.run()).forgotAt;
  }

  /** Redis expires its keys by itself. */
  sweep(): Promise<number> {
    return Promise.resolve(0);
  }
}
