/**
 * How many questions to upstream are under way at most, all together and to one provider: upstreams that hang leave something for
 * others, and for everything else that this process does.
 */
export class RefreshSlots {
  readonly #busy = new Map<string, number>();
  #all = 0;

  constructor(private readonly most: { readonly all: number; readonly ofOne: number }) {}

  /** @returns undefined, without waiting, when there is no room; otherwise what `work` gives */
  run<T>(provider: string, work: () => Promise<T>): Promise<T> | undefined {
    if (this.#all >= this.most.all || this.#of(provider) >= this.most.ofOne) return undefined;
    this.#count(provider, 1);
    return work().finally(() => this.#count(provider, -1));
  }

  #of(provider: string): number {
    return this.#busy.get(provider) ?? 0;
  }

  #count(provider: string, by: 1 | -1): void {
    this.#all += by;
    const left = this.#of(provider) + by;
    if (left > 0) this.#busy.set(provider, left);
    else this.#busy.delete(provider);
  }
}

const MOST_AT_ONCE = 8;

/** A refresh holds a connection to the database, and needs a second one for a moment: a third of them is left to do that. */
export function slotsFor(databaseConnections: number): { readonly all: number; readonly ofOne: number } {
  const all = Math.min(MOST_AT_ONCE, Math.max(1, Math.floor(databaseConnections / 3)));
  return { all, ofOne: Math.max(1, Math.floor(all * 0.75)) };
}
