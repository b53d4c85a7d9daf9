/** Loaded into each replica of a soak by `--import`: every ten seconds one line on the least that the process held meanwhile. */
import { appendFileSync, readdirSync } from 'node:fs';

const WINDOW_SECONDS = 10;
let least = {};
let seconds = 0;

setInterval(() => {
  // Between two collections the heap only grows, and requests come and go: the least is what stays.
  const now = {
    heap: process.memoryUsage().heapUsed / 1_048_576,
    handles: process.getActiveResourcesInfo().length,
    descriptors: readdirSync('/proc/self/fd').length,
  };
  for (const [what, value] of Object.entries(now)) least[what] = Math.min(least[what] ?? Infinity, value);
  seconds += 1;
  if (seconds % WINDOW_SECONDS !== 0) return;
  appendFileSync(process.env.HARNESS_FOOTPRINT, `${JSON.stringify(least)}\n`);
  least = {};
}, 1_000).unref();
