import { LRUCache } from 'lru-cache';
import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';

export interface BoundedMemoryOptions {
  points: number;
  windowSeconds: number;
  /** How many keys with points left are tracked, and as many without. */
  maxKeys?: number;
}

/**
 * RateLimiterMemory keeps every key until its window ends; whoever has many addresses could fill the memory with them.
 *
 * Here the key that was unused for longest is forgotten. Keys without points left are tracked apart, so that a lock
 * is not lifted by spraying new keys: pushing one out costs as many points as making it.
 */
export class BoundedMemoryLimiter extends RateLimiterMemory {
  readonly #open: LRUCache<string, true>;
  readonly #locked: LRUCache<string, true>;

  constructor({ points, windowSeconds, maxKeys = 50_000 }: BoundedMemoryOptions) {
    super({ points, duration: windowSeconds });
    const tracker = (): LRUCache<string, true> =>
      new LRUCache({
        max: maxKeys,
        dispose: (_, key, reason) => {
          if (reason === 'evict') void super.delete(key);
        },
      });
    this.#open = tracker();
    this.#locked = tracker();
  }

  override async consume(key: string): Promise<RateLimiterRes> {
    try {
      const state = await super.consume(key);
      this.#track(key, state.remainingPoints > 0);
      return state;
    } catch (refusal) {
      this.#track(key, false);
      throw refusal;
    }
  }

  override async reward(key: string): Promise<RateLimiterRes> {
    const state = await super.reward(key);
    this.#track(key, state.remainingPoints > 0);
    return state;
  }

  override block(key: string, seconds: number): Promise<RateLimiterRes> {
    this.#track(key, false);
    return super.block(key, seconds);
  }

  override delete(key: string): Promise<boolean> {
    this.#open.delete(key);
    this.#locked.delete(key);
    return super.delete(key);
  }

  #track(key: string, open: boolean): void {
    (open ? this.#locked : this.#open).delete(key);
    (open ? this.#open : this.#locked).set(key, true);
  }
}
