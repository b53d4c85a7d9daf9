/** What the kernel has counted for processes; Linux only. Steadier than a rate on a machine that others use as well. */
import { existsSync, readFileSync } from 'node:fs';

const MILLIS_PER_TICK = 10;

/** Milliseconds, user and system, of those that still live. */
export function processorMillis(pids) {
  const ticks = pids.map((pid) => {
    if (!existsSync(`/proc/${pid}/stat`)) return 0;
    const [, fields] = /\) (.*)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    const [user, system] = fields.split(' ').slice(11, 13).map(Number);
    return user + system;
  });
  return ticks.reduce((sum, each) => sum + each, 0) * MILLIS_PER_TICK;
}
