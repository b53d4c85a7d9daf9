/** When which request had which outcome. */
export class Timeline {
  #events = [];

  add(event) {
    this.#events.push(event);
  }

  since(from, to = Infinity) {
    return this.#events.filter(({ ended }) => ended >= from && ended <= to);
  }

  get count() {
    return this.#events.length;
  }

  forgetBefore(when) {
    this.#events = this.#events.filter(({ ended }) => ended >= when);
  }

  /** The longest time between two successful requests, those of one kind or all. @returns milliseconds */
  static longestGap(events, from, to, kind) {
    const wanted = events.filter((event) => event.outcome === 'ok' && (kind === undefined || event.kind === kind));
    const times = [from, ...wanted.map(({ ended }) => ended).toSorted((a, b) => a - b), to];
    return Math.max(...times.slice(1).map((time, at) => time - times[at]));
  }

  /** How often which outcome that was no success, of requests that went through the ingress. */
  static failures(events) {
    const counts = {};
    for (const { kind, outcome, what, direct } of events) {
      if (direct || (outcome !== 'away' && outcome !== 'lost')) continue;
      const key = `${kind}: ${what}`;
      counts[key] = (counts[key] ?? 0) + 1;
    }
    return counts;
  }
}
