import { Injectable } from '@nestjs/common';
import type { BreakerView } from './breaker.js';

/** Every breaker there is, by the name of what it stands before: `redis`, `vault`, or `outgoing` for many hosts together. */
@Injectable()
export class Breakers {
  readonly #all = new Map<string, () => readonly BreakerView[]>();

  /** @param views of those that exist at the moment */
  add(name: string, views: () => readonly BreakerView[]): void {
    const before = this.#all.get(name);
    this.#all.set(name, () => [...(before?.() ?? []), ...views()]);
  }

  /** For metrics and readiness. Hosts are not named: clients chose some of them. */
  states(): { readonly name: string; readonly open: number; readonly refused: number }[] {
    return [...this.#all].map(([name, views]) => {
      const all = views();
      return {
        name,
        open: all.filter(({ state }) => state !== 'closed').length,
        refused: all.reduce((sum, { refused }) => sum + refused, 0),
      };
    });
  }
}
