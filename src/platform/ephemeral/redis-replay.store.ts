import { OAuthError } from '#libs/oauth';
import { CLOCK_SKEW_MILLIS } from '../clock/clock-skew.js';
import { Clock } from '../clock/clock.js';
import { RedisContinuity } from './redis-continuity.js';
import type { PostgresReplayStore } from './postgres-replay.store.js';
import { keyPrefix, markerKey } from './redis-scripts.js';
import { RedisConnection } from './redis.js';
import { ReplayStore } from './replay-store.js';

/**
 * Claims in Redis; in Postgres while Redis could come back empty unnoticed. A claim that timed out may still be executed: its
 * proof is spent then, and the client makes a new one. One that met another memory counts there, and `forgotAt` tells.
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
    const { marker } = await this.continuity.memory();
    if (marker === undefined) return this.rows.claim(key, expiresAt);
    // Redis forgets by itself; by the clock of another replica the proof may be fresh a while longer.
    const milliseconds = Math.max(1, expiresAt.getTime() - this.clock.now().getTime()) + CLOCK_SKEW_MILLIS;
    const name = `${keyPrefix}replay:${key.toString('base64url')}`;
    const [won, found] = await this.#claim(name, milliseconds);
    if (found !== marker) this.continuity.doubt();
    return won === 1;
  }

  async #claim(name: string, milliseconds: number): Promise<[won: 0 | 1, marker: string | null]> {
    try {
      return await this.redis.ask((client) => client.claimOnce(markerKey, name, milliseconds));
    } catch (cause) {
      throw new OAuthError('try-again', 'redis_unavailable', { cause });
    }
  }

  async forgotAt(): Promise<Date | undefined> {
    return (await this.continuity.memory()).forgotAt;
  }

  /** Redis expires its keys by itself. */
  sweep(now: Date): Promise<number> {
    return this.rows.sweep(now);
  }
}
