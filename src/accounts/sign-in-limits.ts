import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Limits, type Limit, type LimitVerdict } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';

const MAX_IDENTITY_BYTES = 254;
const HOUR_SECONDS = 3_600;

interface Refusal {
  readonly allowed: false;
  readonly retryAfterSeconds: number;
}

interface Try {
  readonly allowed: true;
  succeeded(): Promise<void>;
  /** @returns until when further attempts are refused, if this was the last one */
  failed(): Promise<Date | undefined>;
}

interface Counter {
  readonly limit: Limit;
  readonly key: string;
}

/**
 * How often a password may be guessed (W23): per identity at an address, per address, per identity.
 *
 * Only failures count. All three are taken before the password is looked at and given back on success: requests sent all at
 * once get no more guesses than requests sent one by one.
 */
@Injectable()
export class SignInLimits {
  readonly #pair: Limit | undefined;
  readonly #address: Limit;
  readonly #identity: Limit;

  constructor(
    { rateLimit }: Config,
    private readonly limits: Limits,
    private readonly clock: Clock,
  ) {
    const { authFailMax: points, authFailWindowSeconds: windowSeconds, authLockoutSeconds: blockSeconds } = rateLimit;
    this.#pair = points > 0 ? { name: 'sign-in', points, windowSeconds, blockSeconds } : undefined;
    this.#address = { name: 'sign-in-address', points: points * 5, windowSeconds };
    this.#identity = { name: 'sign-in-identity', points: points * 10, windowSeconds: HOUR_SECONDS };
  }

  /** @param identity in its normal spelling */
  async begin(identity: string): Promise<Refusal | Try> {
    if (!this.#pair) return { allowed: true, succeeded: async () => {}, failed: async () => undefined };
    const who = Buffer.from(identity).subarray(0, MAX_IDENTITY_BYTES).toString('latin1');
    const where = addressKey(requestContext()?.ip ?? '');
    const pair = { limit: this.#pair, key: `${where} ${who}` };
    const wider = [
      { limit: this.#address, key: where },
      { limit: this.#identity, key: who },
    ];
    // Looked at first, so that what is locked costs nobody else a point.
    const refusal = (await this.#refusal([...wider, pair])) ?? (await this.#take(pair, wider));
    return refusal ?? this.#attempt(pair, wider);
  }

  /** The pair last: its last point locks, and must not be taken by an attempt that the others refuse. */
  async #take(pair: Counter, wider: readonly Counter[]): Promise<Refusal | undefined> {
    const taken: Counter[] = [];
    for (const counter of [...wider, pair]) {
      const refusal = refusalOf(await this.limits.take(counter.limit, counter.key));
      if (counter !== pair) taken.push(counter);
      if (!refusal) continue;
      await this.#giveBack(taken);
      return refusal;
    }
    return undefined;
  }

  #attempt(pair: Counter, wider: readonly Counter[]): Try {
    return {
      allowed: true,
      succeeded: async () => {
        await this.limits.clear(pair.limit, pair.key);
        await this.#giveBack(wider);
      },
      failed: async () => {
        const refusal = await this.#refusal([pair, ...wider]);
        return refusal && new Date(this.clock.now().getTime() + refusal.retryAfterSeconds * 1000);
      },
    };
  }

  async #giveBack(counters: readonly Counter[]): Promise<void> {
    for (const { limit, key } of counters) await this.limits.giveBack(limit, key);
  }

  async #refusal(counters: readonly Counter[]): Promise<Refusal | undefined> {
    for (const { limit, key } of counters) {
      const refusal = refusalOf(await this.limits.peek(limit, key));
      if (refusal) return refusal;
    }
    return undefined;
  }
}

const refusalOf = ({ allowed, retryAfterSeconds }: LimitVerdict): Refusal | undefined =>
  allowed ? undefined : { allowed: false, retryAfterSeconds };
