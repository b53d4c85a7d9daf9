import { Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { SettingStore } from '../postgres/settings.store.js';
import { RedisConnection } from './redis.js';

const settingKey = 'redis_run_id';
/** What stands in place of a run_id that is not told. */
const hidden = '';

interface KnownRun {
  run_id: string;
  changed_at: string | null;
}

/** One life of one Redis. */
export interface RedisRun {
  /** undefined: this Redis hides it, and would not be missed if another stood in its place. Nothing may be left to its memory. */
  readonly runId: string | undefined;
  /** When claims may last have been lost. */
  readonly forgotAt: Date | undefined;
}

/**
 * Whether the Redis that answers now is the one that was asked before.
 *
 * Redis replicates asynchronously and may come back empty, so every connection's `run_id` is compared with the one in
 * Postgres before anything is asked on it. The first Redis ever seen has forgotten nothing. One that hides its `run_id` is used
 * for counting only: claims and slot keys are made as without Redis.
 */
export class RedisContinuity {
  readonly #log = new Logger('Redis');
  #verified: (RedisRun & { readonly generation: number }) | undefined;
  #verifying: Promise<void> | undefined;

  constructor(
    private readonly redis: RedisConnection,
    private readonly database: Database,
    private readonly settings: SettingStore,
    private readonly clock: Clock,
  ) {}

  /**
   * The run that the present connection leads to; waits until that is verified.
   *
   * @throws OAuthError `try-again` when Redis is away, DatabaseAway when Postgres is
   */
  async run(): Promise<RedisRun> {
    for (;;) {
      if (this.#verified?.generation === this.redis.generation) return this.#verified;
      this.#verifying ??= this.#verify().finally(() => (this.#verifying = undefined));
      await this.#verifying;
    }
  }

  async #verify(): Promise<void> {
    const generation = this.redis.generation;
    const runId = await this.#runId();
    const known = await this.settings.get<KnownRun>(settingKey);
    // Another process may have noticed first; until now this one may have claimed on the former Redis.
    const before = [known?.run_id, this.#verified && (this.#verified.runId ?? hidden)];
    const changed = before.some((id) => id !== undefined && id !== runId);
    const forgotAt = changed ? this.clock.now() : known?.changed_at ? new Date(known.changed_at) : undefined;
    if (changed || known === undefined) await this.#remember(runId, forgotAt);
    if (runId === hidden && (changed || known === undefined))
      this.#log.warn('Redis does not tell its run_id (INFO server): used proofs are remembered in PostgreSQL instead');
    this.#verified = { generation, runId: runId === hidden ? undefined : runId, forgotAt };
  }

  /** Services that host Redis may forbid INFO, or leave the member out. */
  async #runId(): Promise<string> {
    let info: string;
    try {
      info = await this.redis.client.info('server');
    } catch (cause) {
      if (!(cause instanceof Error) || !cause.message.startsWith('NOPERM'))
        throw new OAuthError('try-again', 'redis_unavailable', { cause });
      info = '';
    }
    return /^run_id:(\w+)/m.exec(info)?.[1] ?? hidden;
  }

  async #remember(runId: string, forgotAt: Date | undefined): Promise<void> {
    const value: KnownRun = { run_id: runId, changed_at: forgotAt?.toISOString() ?? null };
    await this.database.transaction((tx) => this.settings.set(tx, settingKey, value, this.clock.now()));
  }
}
