import { FetchFailed } from '../platform/http-client/fetch-errors.js';

/** So that one slow host cannot hold every outgoing request of this server. */
const MAX_IN_FLIGHT_PER_HOST = 4;

/** Counts the requests under way per host. */
export class HostSlots {
  readonly #busy = new Map<string, number>();

  /** @throws FetchFailed `capacity` when the host has its share already */
  async run<T>(host: string, work: () => Promise<T>): Promise<T> {
    const beside = this.#busy.get(host) ?? 0;
    if (beside >= MAX_IN_FLIGHT_PER_HOST) throw new FetchFailed('capacity');
    this.#busy.set(host, beside + 1);
    try {
      return await work();
    } finally {
      const left = (this.#busy.get(host) ?? 1) - 1;
      if (left === 0) this.#busy.delete(host);
      else this.#busy.set(host, left);
    }
  }
}
