import { setTimeout as pause } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

/** Asks until the answer is right: outside of tests too, in set-ups and scripts. A check that throws is a wrong answer. */
export async function until<T>(
  what: string,
  ask: () => T | Promise<T>,
  wanted: T | ((answer: T) => boolean),
  withinMillis = 15_000,
): Promise<T> {
  const deadline = performance.now() + withinMillis;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      last = answer;
      const right =
        typeof wanted === 'function' ? (wanted as (answer: T) => boolean)(answer) : isDeepStrictEqual(answer, wanted);
      if (right) return answer;
    } catch (error) {
      last = error;
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMillis} ms, but ${String(last)}`);
    await pause(20);
  }
}
