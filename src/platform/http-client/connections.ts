import type { LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher } from 'undici';

export interface Connection {
  readonly dispatcher: Dispatcher;
  /** Says that the request is over. @param status of its answer; undefined: it has none that could be read to the end */
  done(status?: number): void;
}

/** Where requests get their connections. Whichever they get leads to the addresses that were allowed for this one, and nowhere else. */
export interface Connections {
  /** Whether the other side may have closed one in the moment in which it is used again. */
  readonly areKept: boolean;
  /** @param addresses of the host, each of which is allowed */
  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection;
}

/** One for each request: nothing of a host that somebody named stays. */
export class NewConnections implements Connections {
  readonly areKept = false;

  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection {
    const agent = newAgent(addresses, connectTimeoutMillis);
    // Without waiting: what is still under way is cut off.
    return { dispatcher: agent, done: () => void agent.destroy() };
  }
}

/**
 * Those of earlier requests, as long as the name leads to the same addresses and what comes is an answer: for the one host that an operator
 * named and that is asked all the time, where a handshake for each request would cost more than the request. Behind one address may stand
 * several servers: who got to one that is sealed, or sends elsewhere, must not stay with it. What is asked must bear being asked twice.
 */
export class KeptConnections implements Connections {
  readonly areKept = true;
  #kept: { readonly to: string; readonly agent: Agent } | undefined;

  to(addresses: readonly LookupAddress[], connectTimeoutMillis: number): Connection {
    const to = addresses
      .map(({ address }) => address)
      .toSorted()
      .join();
    if (this.#kept && this.#kept.to !== to) this.#leave(this.#kept.agent);
    const { agent } = (this.#kept ??= { to, agent: newAgent(addresses, connectTimeoutMillis) });
    return { dispatcher: agent, done: (status) => isAnswer(status) || this.#leave(agent) };
  }

  /** What is under way there may end. */
  #leave(agent: Agent): void {
    if (this.#kept?.agent !== agent) return;
    this.#kept = undefined;
    void agent.close();
  }
}

const isAnswer = (status = 500): boolean => status < 300 || (status >= 400 && status < 500);

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
