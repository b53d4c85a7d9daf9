import { createHash } from 'node:crypto';
import { type RateLimiterAbstract, RateLimiterRes } from 'rate-limiter-flexible';
import { limited } from '../telemetry/protocol-metrics.js';
import { type Limit, Limits, type LimitVerdict } from './limits.js';

const allowed: LimitVerdict = { allowed: true, retryAfterSeconds: 0 };

/**
 * The rules of `Limits` on a limiter of rate-limiter-flexible.
 *
 * That library reads the system's clock, not ours: a limit slows down, it decides nothing about a token.
 */
export abstract class CountingLimits extends Limits {
  readonly #limiters = new Map<string, RateLimiterAbstract>();

  protected abstract create(limit: Limit): RateLimiterAbstract;

  async take(limit: Limit, key: string): Promise<LimitVerdict> {
    const limiter = this.#limiter(limit);
    const hashedKey = hash(key);
    try {
      const { remainingPoints } = await limiter.consume(hashedKey);
      if (remainingPoints === 0 && limit.blockSeconds) await limiter.block(hashedKey, limit.blockSeconds);
      return allowed;
    } catch (refusal) {
      if (!(refusal instanceof RateLimiterRes)) throw refusal;
      limited.inc({ limit: limit.name });
      return refused(refusal.msBeforeNext);
    }
  }

  async peek(limit: Limit, key: string): Promise<LimitVerdict> {
    const state = await this.#limiter(limit).get(hash(key));
    if (state === null || state.remainingPoints > 0 || state.msBeforeNext <= 0) return allowed;
    return refused(state.msBeforeNext);
  }

  async giveBack(limit: Limit, key: string): Promise<void> {
    const limiter = this.#limiter(limit);
    const hashedKey = hash(key);
    const { consumedPoints } = await limiter.reward(hashedKey);
    // The window the point was taken in has ended: the new one must not begin with a point too many.
    if (consumedPoints < 0) await limiter.delete(hashedKey);
  }

  async clear(limit: Limit, key: string): Promise<void> {
    await this.#limiter(limit).delete(hash(key));
  }

  /** A limit whose numbers an operator changed gets a new limiter. */
  #limiter(limit: Limit): RateLimiterAbstract {
    const id = `${limit.name}:${limit.points}:${limit.windowSeconds}:${limit.blockSeconds ?? 0}`;
    let limiter = this.#limiters.get(id);
    if (limiter === undefined) this.#limiters.set(id, (limiter = this.create(limit)));
    return limiter;
  }
}

function refused(milliseconds: number): LimitVerdict {
  return { allowed: false, retryAfterSeconds: Math.max(1, Math.ceil(milliseconds / 1000)) };
}

/** A key may be an e-mail address or hold one: nothing readable lies in Redis, and every key has one length. */
function hash(key: string): string {
  return createHash('sha256').update(key).digest('base64url');
}
