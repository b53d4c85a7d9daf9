import { Global, Module } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Breakers } from '../breaker/breakers.js';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { SettingStore } from '../postgres/settings.store.js';
import { EphemeralHealth } from './ephemeral-health.js';
import { Limits } from './limits.js';
import { PostgresReplayStore } from './postgres-replay.store.js';
import { ProcessLimits } from './process-limits.js';
import { RedisContinuity } from './redis-continuity.js';
import { RedisLimits } from './redis-limits.store.js';
import { RedisReplayStore } from './redis-replay.store.js';
import { RedisSlotKeys } from './redis-slot-keys.store.js';
import { RedisConnection } from './redis.js';
import { ReplayStore } from './replay-store.js';
import { DerivedSlotKeys, SlotKeys } from './slot-keys.js';

/**
 * Ephemeral — what is remembered for minutes: used proof ids, counted attempts, keys of a slot of time.
 * Owns: `ReplayStore`, `Limits`, `SlotKeys`, the connection to Redis and the table `replays`.
 * Not here: which limits there are (with those who ask), used assertions (they are spent by the statement that issues).
 * Holds always: with Redis away a claim is refused, a limit goes on per process; nothing of Redis exists where none is set.
 */
@Global()
@Module({
  providers: [
    {
      provide: RedisConnection,
      inject: [Config, Breakers],
      useFactory: ({ redis }: Config, breakers: Breakers) =>
        redis.isSet ? new RedisConnection(redis, breakers) : undefined,
    },
    {
      provide: RedisContinuity,
      inject: [RedisConnection, Database, SettingStore, Clock],
      useFactory: (redis: RedisConnection | undefined, database: Database, settings: SettingStore, clock: Clock) =>
        redis && new RedisContinuity(redis, database, settings, clock),
    },
    {
      provide: ReplayStore,
      inject: [RedisConnection, RedisContinuity, Database, Clock],
      useFactory: (
        redis: RedisConnection | undefined,
        continuity: RedisContinuity | undefined,
        database: Database,
        clock: Clock,
      ): ReplayStore => {
        const rows = new PostgresReplayStore(database, clock);
        return redis && continuity ? new RedisReplayStore(redis, continuity, rows, clock) : rows;
      },
    },
    {
      provide: SlotKeys,
      inject: [RedisConnection, RedisContinuity, Config],
      useFactory: (
        redis: RedisConnection | undefined,
        continuity: RedisContinuity | undefined,
        { session }: Config,
      ): SlotKeys => {
        const derived = new DerivedSlotKeys(session.secret);
        return redis && continuity ? new RedisSlotKeys(redis, continuity, derived) : derived;
      },
    },
    {
      provide: Limits,
      inject: [RedisConnection],
      useFactory: (redis: RedisConnection | undefined): Limits =>
        redis ? new RedisLimits(redis) : new ProcessLimits(),
    },
    {
      provide: EphemeralHealth,
      inject: [RedisConnection],
      useFactory: (redis: RedisConnection | undefined) => new EphemeralHealth(redis),
    },
  ],
  exports: [ReplayStore, Limits, SlotKeys, EphemeralHealth],
})
export class EphemeralModule {}
