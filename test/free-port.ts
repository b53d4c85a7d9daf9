import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below those that the system gives away by itself (from 32768), so that nobody gets one between the look and its use. A
 * node of a Redis cluster listens 10,000 above its own, too. Test files that run at the same time have ports of their own, and other
 * runs on the same machine hardly ever the same.
 */
const FIRST = 12_000;
const SLICE = 2_400;
const SLICES = 4;

let next = randomInt(SLICE);

/** A port of 127.0.0.1 on which nobody listens. */
export async function freePort(): Promise<number> {
  const first = FIRST + (Number(process.env.VITEST_POOL_ID ?? 0) % SLICES) * SLICE;
  for (let tried = 0; tried < SLICE; tried += 1) {
    const port = first + (next++ % SLICE);
    if (await isFree(port)) return port;
  }
  throw new Error(`no port is free from ${first} on`);
}

async function isFree(port: number): Promise<boolean> {
  const probe = createServer();
  try {
    await once(probe.listen(port, '127.0.0.1'), 'listening');
  } catch {
    return false;
  }
  probe.close();
  await once(probe, 'close');
  return true;
}
