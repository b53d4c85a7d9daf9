/** What the kernel has counted for processes; Linux only. Steadier than a rate on a machine that others use as well. */
import { existsSync, readFileSync } from 'node:fs';

const MILLIS_PER_TICK = 10;

/** @returns milliseconds, user and system, of each that lives */
export function processorMillis(pids) {
  const alive = pids.filter((pid) => existsSync(`/proc/${pid}/stat`));
  return new Map(alive.map((pid) => [pid, millisOf(readFileSync(`/proc/${pid}/stat`, 'utf8'))]));
}

/** @returns milliseconds since `before`, of those that live; one that ended has told nobody */
export function processorMillisSince(before, pids) {
  return [...processorMillis(pids)].reduce((sum, [pid, millis]) => sum + millis - (before.get(pid) ?? 0), 0);
}

function millisOf(stat) {
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13);
  return (Number(user) + Number(system)) * MILLIS_PER_TICK;
}
