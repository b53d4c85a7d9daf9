import { setTimeout as pause } from 'node:timers/promises';

const ATTEMPTS = 5;
const PAUSE_MILLIS = 400;

/** Tries again for some two seconds, for what exists nowhere else and must not be lost to a moment's trouble. */
export async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === ATTEMPTS) throw error;
      await pause(PAUSE_MILLIS);
    }
  }
}
