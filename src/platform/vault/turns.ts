import { FetchFailed } from '../http-client/fetch-errors.js';

/** Lets a few at a time do something; the others wait for a while, in order. */
export class Turns {
  readonly #waiting = new Set<() => void>();
  #busy = 0;

  constructor(private readonly limits: { atOnce: number; waiting: number; patienceMillis: number }) {}

  /** @throws FetchFailed `capacity` when too many wait, or one has waited too long */
  async run<T>(work: () => Promise<T>): Promise<T> {
    await this.#turn();
    try {
      return await work();
    } finally {
      const [next] = this.#waiting;
      if (next) next();
      else this.#busy -= 1;
    }
  }

  async #turn(): Promise<void> {
    const { atOnce, waiting, patienceMillis } = this.limits;
    if (this.#busy < atOnce) {
      this.#busy += 1;
      return;
    }
    if (this.#waiting.size >= waiting) throw new FetchFailed('capacity');
    await new Promise<void>((resolve, reject) => {
      const leave = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(go);
      };
      const go = (): void => (leave(), resolve());
      const timer = setTimeout(() => (leave(), reject(new FetchFailed('capacity'))), patienceMillis);
      this.#waiting.add(go);
    });
  }
}
