import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { OAuthError } from '#libs/oauth';
import { RedisContinuity } from './redis-continuity.js';
import { keyPrefix } from './redis-scripts.js';
import { RedisConnection } from './redis.js';
import { SlotKeys, type DerivedSlotKeys } from './slot-keys.js';

/**
 * Random keys, kept in Redis: whoever needs the key of a slot first makes it, everybody else finds it, once per process.
 *
 * A key belongs to one memory of Redis, so that nothing made before it forgot is recognised afterwards. While Redis could forget
 * unnoticed, keys are derived, and claims lie in Postgres.
 */
export class RedisSlotKeys extends SlotKeys {
  readonly #known = new LRUCache<string, Buffer>({ max: 8 });

  constructor(
    private readonly redis: RedisConnection,
    private readonly continuity: RedisContinuity,
    private readonly derived: DerivedSlotKeys,
  ) {
    super();
  }

  async keyOf(slot: number, lifetimeSeconds: number): Promise<Buffer> {
    const memory = await this.continuity.memory();
    if (memory.marker === undefined) return this.derived.keyOf(slot);
    const name = `${keyPrefix}slot-key:${memory.name}:${slot}`;
    const known = this.#known.get(name);
    if (known) return known;
    const key = await this.#find(name, lifetimeSeconds);
    this.#known.set(name, key);
    return key;
  }

  async #find(name: string, lifetimeSeconds: number): Promise<Buffer> {
    try {
      return await this.redis.ask(async (client) => {
        const found = await client.get(name);
        if (found !== null) return Buffer.from(found, 'base64url');
        const made = randomBytes(32).toString('base64url');
        await client.set(name, made, 'EX', lifetimeSeconds, 'NX');
        return Buffer.from((await client.get(name)) ?? made, 'base64url');
      });
    } catch (cause) {
      throw new OAuthError('try-again', 'redis_unavailable', { cause });
    }
  }
}
