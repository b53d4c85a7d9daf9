import { randomUUID } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { SettingStore } from '../postgres/settings.store.js';
import { markerKey } from './redis-scripts.js';
import type { RedisConnection } from './redis.js';

const settingKey = 'redis_memory';
/**
 * After so long it is asked again what the others know, on a living connection too: while two primaries live, replicas
 * that stay with the former one change the row in turn with those on the promoted one, and both keep saying that claims
 * may be lost. Far less than any `dpop.proof_lifetime`.
 */
const maxAgeMillis = 5_000;
/** What stands in place of a memory that cannot be known again. */
const hidden = '';

/** What held when a memory was verified: no longer, and it is verified again. */
interface Verification {
  readonly generation: number;
  readonly doubts: number;
  readonly at: Date;
}

interface KnownMemory {
  memory: string;
  changed_at: string | null;
}

/** What one Redis remembers, from when it began to until it forgets. */
export interface RedisMemory {
  /**
   * The marker that stands in Redis for as long as nothing was forgotten; undefined: this Redis could forget everything unnoticed, or
   * another stand in its place, and nothing may be left to its memory.
   */
  readonly marker: string | undefined;
  /** The same for no other memory of any Redis. */
  readonly name: string;
  /** When claims may last have been lost. */
  readonly forgotAt: Date | undefined;
}

/**
 * Whether the Redis that answers now remembers all that it was told.
 *
 * Redis replicates asynchronously and may come back empty, so every connection's `run_id` is compared with the one in
 * Postgres before anything is asked on it, and every few seconds. It may be emptied while it runs, too: whoever leaves
 * something to its memory finds the marker in the same step, or calls `doubt`. The first Redis ever seen has forgotten
 * nothing. One that hides its `run_id` or runs no scripts is used for counting only: claims and slot keys are made as
 * without Redis.
 */
export class RedisContinuity {
  readonly #log = new Logger('Redis');
  #verified: (RedisMemory & Verification) | undefined;
  #verifying: Promise<void> | undefined;
  #doubts = 0;

  constructor(
    private readonly redis: RedisConnection,
    private readonly database: Database,
    private readonly settings: SettingStore,
    private readonly clock: Clock,
  ) {
    // Also where nobody asks meanwhile: after a failover there and back it is who it was, and may have lost claims.
    redis.onReady(() => void this.memory().catch(() => {}));
  }

  /**
   * The memory that the present connection leads to; waits until that is verified.
   *
   * @throws OAuthError `try-again` when Redis is away, DatabaseAway when Postgres is
   */
  async memory(): Promise<RedisMemory> {
    for (;;) {
      const known = this.#verified;
      if (known && this.#holds(known)) return known;
      this.#verifying ??= this.#verify().finally(() => (this.#verifying = undefined));
      await this.#verifying;
    }
  }

  /** Another marker was found, or none: it is not the memory that it was taken for. */
  doubt(): void {
    this.#doubts++;
  }

  #holds({ generation, doubts, at }: Verification): boolean {
    const age = Math.abs(this.clock.now().getTime() - at.getTime());
    return generation === this.redis.generation && doubts === this.#doubts && age < maxAgeMillis;
  }

  async #verify(): Promise<void> {
    const verification: Verification = {
      generation: this.redis.generation,
      doubts: this.#doubts,
      at: this.clock.now(),
    };
    const runId = await this.#runId();
    const marker = runId && (await this.#marker());
    const name = marker ? `${runId}:${marker}` : hidden;
    const known = await this.settings.get<KnownMemory>(settingKey);
    // Another process may have noticed first; until now this one may have claimed on the former Redis.
    const changed = [known?.memory, this.#verified?.name].some((before) => before !== undefined && before !== name);
    const forgotAt = changed ? this.clock.now() : known?.changed_at ? new Date(known.changed_at) : undefined;
    if (changed || known === undefined) await this.#remember(name, forgotAt);
    if (name === hidden && (changed || known === undefined))
      this.#log.warn(
        'Redis does not tell its run_id (INFO server) or runs no scripts (EVAL, EVALSHA): used proofs are remembered in PostgreSQL instead',
      );
    this.#verified = { ...verification, marker: marker || undefined, name, forgotAt };
  }

  /** Services that host Redis may forbid INFO, or leave the member out. */
  async #runId(): Promise<string> {
    const info = await this.#permitted(this.redis.serverInfo());
    return /^run_id:(\w+)/m.exec(info)?.[1] ?? hidden;
  }

  /** The marker that stands there, or ours in its place. */
  #marker(): Promise<string> {
    return this.#permitted(this.redis.ask((client) => client.findOrMark(markerKey, randomUUID())));
  }

  /** What it answers; `hidden` where that is forbidden. */
  async #permitted(answer: Promise<string>): Promise<string> {
    try {
      return await answer;
    } catch (cause) {
      if (cause instanceof Error && /^(?:NOPERM|ERR ACL failure)/.test(cause.message)) return hidden;
      throw new OAuthError('try-again', 'redis_unavailable', { cause });
    }
  }

  async #remember(memory: string, forgotAt: Date | undefined): Promise<void> {
    const value: KnownMemory = { memory, changed_at: forgotAt?.toISOString() ?? null };
    await this.database.transaction((tx) => this.settings.set(tx, settingKey, value, this.clock.now()));
  }
}
