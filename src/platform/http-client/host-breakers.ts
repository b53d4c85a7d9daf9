import { LRUCache } from 'lru-cache';
import { Breaker, NotAsked } from '../breaker/breaker.js';
import type { Breakers } from '../breaker/breakers.js';
import { FetchFailed } from './fetch-errors.js';
import type { UrlRules } from './outgoing-url.js';

const AT_ONCE = 16;
const TIMEOUTS = 5;
const REST_MILLIS = 5_000;
const MAX_HOSTS = 500;

/**
 * One breaker for each host that is asked: a host that hangs takes neither the slots nor the time of those who need another. What clients
 * and what operators named have breakers of their own: a stranger who asks a host for what hangs shuts it to strangers alone.
 */
export class HostBreakers {
  readonly #byHost = { client: breakersByOrigin(), operator: breakersByOrigin() };

  /** @param name under which they are counted */
  constructor(breakers?: Breakers, name = 'outgoing') {
    breakers?.add(name, () =>
      [...this.#byHost.client.values(), ...this.#byHost.operator.values()].map(({ view }) => view),
    );
  }

  /** @throws FetchFailed `circuit_open`, `capacity`, or what `work` throws */
  async run<T>(trust: UrlRules['trust'], origin: string, work: () => Promise<T>): Promise<T> {
    const byHost = this.#byHost[trust];
    let breaker = byHost.get(origin);
    if (!breaker) byHost.set(origin, (breaker = new Breaker(rules)));
    try {
      return await breaker.run(work);
    } catch (error) {
      if (!(error instanceof NotAsked)) throw error;
      throw new FetchFailed(error.why === 'open' ? 'circuit_open' : 'capacity');
    }
  }
}

const breakersByOrigin = (): LRUCache<string, Breaker> =>
  new LRUCache({ max: MAX_HOSTS, dispose: (breaker) => breaker.end() });

/** Whoever refuses does it at once: only waiting is to be spared. */
const rules = {
  failures: TIMEOUTS,
  restMillis: REST_MILLIS,
  atOnce: AT_ONCE,
  isFailure: (error: unknown) => error instanceof FetchFailed && error.reason === 'timeout',
};
