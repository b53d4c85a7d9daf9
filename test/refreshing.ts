import type { TestApp } from './app.js';
import { aFlow, refresh, tokensOf, type GrantedCode } from './builders.js';

/** What people's clients saw who refresh again and again, one after another each, and repeat what was answered with 503. */
export interface Refreshing {
  /** Every answer so far: `200`, or status and error. */
  readonly seen: readonly string[];
  /** The longest time from one success of anybody to the next, so far. */
  readonly longestGapMillis: () => number;
  /** The longest that one request took. */
  readonly slowestMillis: () => number;
  /** Comes back when everybody has had another success. */
  untilAllSucceed(): Promise<void>;
  /** Stops, and sees whether the last token that each was given still is the live one. @returns what the last refreshes answered */
  stop(): Promise<string[]>;
}

/** @param lanes how many families; their clients are confidential, so that what was lost on its way may be asked for again (W13) */
export async function startRefreshing(app: TestApp, lanes: number): Promise<Refreshing> {
  const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
  const families: (GrantedCode & { live: string; successes: number })[] = [];
  for (let n = 0; n < lanes; n++) {
    const granted = await tokensOf(flow);
    families.push({ ...granted, live: granted.tokens.refresh_token, successes: 0 });
  }
  const seen: string[] = [];
  let [stopped, last, gap, slowest] = [false, performance.now(), 0, 0];
  const lane = async (family: (typeof families)[number]): Promise<void> => {
    while (!stopped) {
      const began = performance.now();
      const { status, body } = await refresh(family, family.live);
      slowest = Math.max(slowest, performance.now() - began);
      seen.push(status === 200 ? '200' : `${status} ${body.error}`);
      if (status === 200) {
        gap = Math.max(gap, performance.now() - last);
        last = performance.now();
        family.live = body.refresh_token;
        family.successes += 1;
      } else if (status !== 503) return;
    }
  };
  const running = families.map(lane);
  return {
    seen,
    longestGapMillis: () => Math.round(Math.max(gap, performance.now() - last)),
    slowestMillis: () => Math.round(slowest),
    untilAllSucceed: async () => {
      const before = families.map(({ successes }) => successes);
      const deadline = performance.now() + 20_000;
      while (families.some(({ successes }, n) => successes === before[n])) {
        if (performance.now() > deadline) throw new Error(`not everybody succeeds: ${seen.slice(-20).join(', ')}`);
        await new Promise(setImmediate);
      }
    },
    stop: async () => {
      stopped = true;
      await Promise.all(running);
      const answers = await Promise.all(families.map((family) => refresh(family, family.live)));
      return answers.map(({ status, body }) => (status === 200 ? '200' : `${status} ${body.error}`));
    },
  };
}
