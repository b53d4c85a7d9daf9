import type { Clock } from '../clock/clock.js';
import type { DependencyState } from './dependencies.js';

/** How long readiness takes the last answer: anybody may ask for it, and each answer costs the dependency a call. */
const REMEMBERED_MILLIS = 5_000;

/** Whether a dependency answers, asked for once in a few seconds. */
export class RememberedState {
  #asked: { readonly at: number; readonly state: Promise<DependencyState> } | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => Promise<unknown>,
  ) {}

  /** Never throws. */
  state(): Promise<DependencyState> {
    const now = this.clock.now().getTime();
    if (!this.#asked || Math.abs(now - this.#asked.at) >= REMEMBERED_MILLIS) {
      const state = this.ask().then(
        () => 'ok' as const,
        () => 'down' as const,
      );
      this.#asked = { at: now, state };
    }
    return this.#asked.state;
  }
}
