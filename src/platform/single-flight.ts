/** Lets everybody who asks for the same while it is being had share one answer, or one error. */
export class SingleFlight<T> {
  readonly #flights = new Map<string, Promise<T>>();

  join(key: string, begin: () => Promise<T>): Promise<T> {
    const joined = this.#flights.get(key);
    if (joined) return joined;
    const flight = begin().finally(() => this.#flights.delete(key));
    this.#flights.set(key, flight);
    return flight;
  }

  /** Comes true when everything that is being had now has ended, well or not. */
  async ended(): Promise<void> {
    await Promise.allSettled(this.#flights.values());
  }
}
