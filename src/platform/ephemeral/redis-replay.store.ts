import { OAuthError } from '#libs/oauth';
import { Clock } from '../clock/clock.js';
import { RedisContinuity } from './redis-continuity.js';
import type { PostgresReplayStore } from './postgres-replay.store.js';
import { keyPrefix, RedisConnection } from './redis.js';
import { ReplayStore } from './replay-store.js';

/**
 * Claims in Redis; in Postgres while Redis hides which one it is, since it could then come back empty unnoticed. A claim that timed
 * out may still be executed: its proof is spent then, and the client makes a new one.
 */
export class RedisReplayStore extends ReplayStore {
  constructor(
    private readonly redis: RedisConnection,
    private readonly continuity: RedisContinuity,
    private readonly rows: PostgresReplayStore,
    private readonly clock: Clock,
  ) {
    super();
  }

  async claim(key: Buffer, expiresAt: Date): Promise<boolean> {
    const { runId } = await this.continuity.run();
    if (runId === undefined) return this.rows.claim(key, expiresAt);
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
  sweep(now: Date): Promise<number> {
    return this.rows.sweep(now);
  }
}
