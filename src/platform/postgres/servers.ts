import { setTimeout as after } from 'node:timers/promises';
import type { Address } from './dsn-hosts.js';

/** What a server answered that can be written to. */
export interface Found {
  /** Rises with every promotion: of two that can be written to, one was forgotten when the other took over. */
  readonly timeline: number;
}

/** A connection that may have to be given up because its server is no longer the right one. */
export interface Kept {
  /** In use: it is closed when it is given back. */
  readonly lent: boolean;
  giveUp(): void;
}

/** How long others may take to answer once one was found. */
const GRACE_MILLIS = 250;

/**
 * The servers that a connection string names, and which of them can be written to. What is learned on one connection holds for all:
 * after a failover the others are closed before anybody meets with the same.
 */
export class Servers {
  #era = 0;
  #known: Address | undefined;
  #finding: Promise<Address> | undefined;
  readonly #kept = new Map<Kept, number>();

  /** @param probe rejects unless the server can be written to */
  constructor(
    readonly addresses: readonly Address[],
    private readonly probe: (address: Address) => Promise<Found>,
  ) {}

  /** @returns undefined when there is no choice @throws AggregateError when none can be written to */
  async writable(): Promise<Address | undefined> {
    if (this.addresses.length < 2) return undefined;
    if (this.#known) return this.#known;
    this.#finding ??= this.#find().finally(() => (this.#finding = undefined));
    return (this.#known = await this.#finding);
  }

  keep(connection: Kept): void {
    this.#kept.set(connection, this.#era);
  }

  drop(connection: Kept): void {
    this.#kept.delete(connection);
  }

  /** Whether nothing has happened since that speaks against this connection. */
  trusts(connection: Kept): boolean {
    return this.#kept.get(connection) === this.#era;
  }

  /** A connection failed in a way that says something about its server: those of the same age that nobody uses are closed. */
  doubt(connection: Kept): void {
    if (!this.trusts(connection)) return; // known already
    this.forget();
    this.#era++;
    for (const [each] of this.#kept) if (!each.lent) each.giveUp();
  }

  /** Next time all are asked again. */
  forget(): void {
    this.#known = undefined;
  }

  async #find(): Promise<Address> {
    const found = new Map<Address, Found>();
    const asked = this.addresses.map(async (address) => found.set(address, await this.probe(address)));
    await Promise.any(asked).catch(({ errors }: AggregateError) => {
      const said = errors.map((error: unknown) => (error instanceof Error ? error.message : String(error)));
      throw new AggregateError(errors, `none of the servers can be written to: ${said.join('; ')}`);
    });
    await Promise.race([Promise.allSettled(asked), after(GRACE_MILLIS, undefined, { ref: false })]);
    const inOrder = this.addresses.filter((address) => found.has(address));
    return inOrder.reduce((best, each) => (found.get(each)!.timeline > found.get(best)!.timeline ? each : best));
  }
}
