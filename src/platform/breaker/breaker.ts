import CircuitBreaker from 'opossum';

export type BreakerState = 'closed' | 'half_open' | 'open';

export interface BreakerRules {
  /** How many failures, half of all that was asked in ten seconds, open it. */
  readonly failures: number;
  /** How long nobody is let through then; after that one is, and decides. */
  readonly restMillis: number;
  /** How many may be on their way at once. */
  readonly atOnce?: number;
  /** Whether an error says that the dependency is slow or gone. Any other is an answer. */
  readonly isFailure: (error: unknown) => boolean;
}

/** What the operator is shown of one. */
export interface BreakerView {
  readonly state: BreakerState;
  /** Since the start: what was not asked, because it would have been in vain or one too many. */
  readonly refused: number;
}

/** It was not asked at all. */
export class NotAsked extends Error {
  override readonly name = 'NotAsked';

  constructor(readonly why: 'open' | 'full') {
    super(why === 'open' ? 'the circuit is open' : 'too many requests are under way');
  }
}

const WINDOW_MILLIS = 10_000;

/**
 * Stands before one dependency: once that only makes people wait, they hear at once, and one of them at a time finds out whether it is
 * back. Its rests are measured by timers, not by a clock that may be set.
 */
export class Breaker {
  readonly #circuit: CircuitBreaker<[() => Promise<unknown>], unknown>;
  readonly #atOnce: number;
  #underWay = 0;
  #refused = 0;

  constructor({ failures, restMillis, atOnce = Infinity, isFailure }: BreakerRules) {
    this.#atOnce = atOnce;
    this.#circuit = new CircuitBreaker((work: () => Promise<unknown>) => work(), {
      timeout: false,
      resetTimeout: restMillis,
      volumeThreshold: failures,
      errorThresholdPercentage: 50,
      rollingCountTimeout: WINDOW_MILLIS,
      errorFilter: (error: unknown) => !isFailure(error),
    });
  }

  /** @throws NotAsked, or what `work` throws */
  async run<T>(work: () => Promise<T>): Promise<T> {
    // Counted here, not by the circuit: to that a refusal is an answer, and a crowd of them would keep it closed.
    if (this.#underWay >= this.#atOnce) throw this.#refusal('full');
    this.#underWay += 1;
    try {
      return (await this.#circuit.fire(work)) as T;
    } catch (error) {
      throw SHUT.has(codeOf(error)) ? this.#refusal('open') : error;
    } finally {
      this.#underWay -= 1;
    }
  }

  get view(): BreakerView {
    const { opened, halfOpen, pendingClose } = this.#circuit;
    const state = opened ? 'open' : halfOpen || pendingClose ? 'half_open' : 'closed';
    return { state, refused: this.#refused };
  }

  #refusal(why: NotAsked['why']): NotAsked {
    this.#refused += 1;
    return new NotAsked(why);
  }

  /** It is known to be back. */
  close(): void {
    this.#circuit.close();
  }

  /** For good. */
  end(): void {
    this.#circuit.shutdown();
  }
}

const SHUT: ReadonlySet<unknown> = new Set(['EOPENBREAKER', 'ESHUTDOWN']);

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
