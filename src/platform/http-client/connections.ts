import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';

export interface Connection {
  readonly dispatcher: Dispatcher;
  /** A new one, where the other side may have closed this in the moment in which it was used again. */
  readonly another?: () => Dispatcher;
  /** Says that the request is over, however it ended. */
  done(): void;
}

/** Where requests get their connections. Whichever they get leads to the addresses that were allowed for this one, and nowhere else. */
export interface Connections {
  /** @param addresses of the host, each of which is allowed */
  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection;
}

/** One for each request: nothing of a host that somebody named stays. */
export class NewConnections implements Connections {
  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection {
    const agent = newAgent(addresses, connectTimeoutMillis);
    // Without waiting: what is still under way is cut off.
    return { dispatcher: agent, done: () => void agent.destroy() };
  }
}

/**
 * Those of earlier requests, as long as the name leads to the same addresses: for the one host that an operator named and that is asked
 * all the time, where a handshake for each request would cost more than the request. What is asked of it must bear being asked twice.
 */
export class KeptConnections implements Connections {
  #kept: { readonly to: string; readonly agent: Agent } | undefined;

  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection {
    const agent = this.#agent(addresses, connectTimeoutMillis);
    const another = (): Agent => this.#agent(addresses, connectTimeoutMillis, agent);
    return { dispatcher: agent, another, done: () => undefined };
  }

  #agent(addresses: readonly LookupAddress[], connectTimeoutMillis: number, not?: Agent): Agent {
    const to = addresses
      .map(({ address }) => address)
      .toSorted()
      .join();
    if (this.#kept?.to !== to || this.#kept.agent === not) {
      // What is under way there may end.
      void this.#kept?.agent.close();
      this.#kept = { to, agent: newAgent(addresses, connectTimeoutMillis) };
    }
    return this.#kept.agent;
  }
}

const newAgent = (addresses: readonly LookupAddress[], connectTimeoutMillis: number): Agent =>
  new Agent({ connect: { lookup: pinned(addresses), timeout: connectTimeoutMillis }, maxHeaderSize: 16_384 });

/** What the socket asks instead of the DNS. */
function pinned(addresses: readonly LookupAddress[]): LookupFunction {
  return (_, { all }, callback) => {
    const [first] = addresses;
    if (all || first === undefined) callback(null, [...addresses]);
    else callback(null, first.address, first.family);
  };
}
