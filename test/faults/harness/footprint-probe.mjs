/** Loaded into each replica of a soak by `--import`: every ten seconds one line on what the process holds. */
import { appendFileSync } from 'node:fs';

const WINDOW_SECONDS = 10;
let least = Infinity;
let seconds = 0;

setInterval(() => {
  // Between two collections the heap only grows: the least of a window comes nearest to what is really held.
  least = Math.min(least, process.memoryUsage().heapUsed);
  seconds += 1;
  if (seconds % WINDOW_SECONDS !== 0) return;
  const handles = process.getActiveResourcesInfo().length;
  const line = JSON.stringify({ at: Date.now(), heap: least / 1048576, handles });
  appendFileSync(process.env.HARNESS_FOOTPRINT, `${line}\n`);
  least = Infinity;
}, 1_000).unref();
