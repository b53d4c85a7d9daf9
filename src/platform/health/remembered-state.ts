import type { Clock } from '../clock/clock.js';
import type { DependencyState } from './dependencies.js';

/** How long readiness takes the last answer: anybody may ask for it, and each answer costs the dependency a call. */
const REMEMBERED_MILLIS = 5_000;
/** Who takes longer is down: a probe or a scrape that waited for it would be given up, with all else that it tells. */
const PATIENCE_MILLIS = 2_000;

/** Whether a dependency answers, asked for once in a few seconds. */
export class RememberedState {
  #asked: { readonly at: number; readonly state: Promise<DependencyState> } | undefined;
  #asking: Promise<DependencyState> | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly ask: () => Promise<unknown>,
  ) {}

  /** Never throws. */
  state(): Promise<DependencyState> {
    const now = this.clock.now().getTime();
    if (!this.#asked || Math.abs(now - this.#asked.at) >= REMEMBERED_MILLIS)
      this.#asked = { at: now, state: this.#inTime() };
    return this.#asked.state;
  }

  async #inTime(): Promise<DependencyState> {
    // What hangs is not asked again beside that.
    this.#asking ??= this.ask()
      .then(
        () => 'ok' as const,
        () => 'down' as const,
      )
      .finally(() => (this.#asking = undefined));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<DependencyState>((resolve) => {
      timer = setTimeout(() => resolve('down'), PATIENCE_MILLIS);
    });
    return Promise.race([this.#asking, late]).finally(() => clearTimeout(timer));
  }
}
