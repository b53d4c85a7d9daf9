import { OAuthError } from '#libs/oauth';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { SettingStore } from '../postgres/settings.store.js';
import { RedisConnection } from './redis.js';

const settingKey = 'redis_run_id';

interface KnownRun {
  run_id: string;
  changed_at: string | null;
}

/** One life of one Redis. */
export interface RedisRun {
  /** '' for a Redis that hides it. */
  readonly runId: string;
  /** When claims may last have been lost. */
  readonly forgotAt: Date | undefined;
}

/**
 * Whether the Redis that answers now is the one that was asked before.
 *
 * Redis replicates asynchronously and may come back empty, so every connection's `run_id` is compared with the one in
 * Postgres before anything is asked on it. The first Redis ever seen has forgotten nothing.
 */
export class RedisContinuity {
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
    const before = [known?.run_id, this.#verified?.runId];
    // A Redis that hides its run_id cannot be recognised: each connection to it counts as a new one.
    const changed = runId === '' || before.some((id) => id !== undefined && id !== runId);
    const forgotAt = changed ? this.clock.now() : known?.changed_at ? new Date(known.changed_at) : undefined;
    if (changed || known === undefined) await this.#remember(runId, forgotAt);
    this.#verified = { generation, runId, forgotAt };
  }

  async #runId(): Promise<string> {
    try {
      const info = await this.redis.client.info('server');
      return /^run_id:(\w+)/m.exec(info)?.[1] ?? '';
    } catch (cause) {
      throw new OAuthError('try-again', 'redis_unavailable', { cause });
    }
  }

  async #remember(runId: string, forgotAt: Date | undefined): Promise<void> {
    const value: KnownRun = { run_id: runId, changed_at: forgotAt?.toISOString() ?? null };
    await this.database.transaction((tx) => this.settings.set(tx, settingKey, value, this.clock.now()));
  }
}
