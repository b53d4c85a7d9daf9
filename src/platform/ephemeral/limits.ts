/**
 * At most `points` in `windowSeconds`.
 *
 * With `blockSeconds` the key is locked for that long from the moment its last point is taken.
 */
export interface Limit {
  /** One name, one meaning: counters of a name are shared. Lower case, `-`. */
  readonly name: string;
  readonly points: number;
  readonly windowSeconds: number;
  readonly blockSeconds?: number;
}

export interface LimitVerdict {
  readonly allowed: boolean;
  /** 0 when allowed, else how long until a point is free again: at least 1. */
  readonly retryAfterSeconds: number;
}

/** Counts attempts per key. Never off and never closed: when its store is away each process counts for itself. */
export abstract class Limits {
  /**
   * Takes a point; a refused attempt does not prolong a lock.
   *
   * @param key who is counted (an address, an identity …); it is hashed before it leaves the process
   */
  abstract take(limit: Limit, key: string): Promise<LimitVerdict>;

  /** What `take` would answer now, without taking. */
  abstract peek(limit: Limit, key: string): Promise<LimitVerdict>;

  /** Gives one taken point back; a lock stays. Of a window that has ended there is nothing to give back. */
  abstract giveBack(limit: Limit, key: string): Promise<void>;

  /** Gives all points back and unlocks. */
  abstract clear(limit: Limit, key: string): Promise<void>;
}
