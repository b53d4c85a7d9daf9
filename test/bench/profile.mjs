/** Reads what `node --cpu-prof` wrote. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(import.meta.dirname, '../..');

export function readProfile(folder) {
  const file = readdirSync(folder).find((name) => name.endsWith('.cpuprofile'));
  return JSON.parse(readFileSync(join(folder, file), 'utf8'));
}

/**
 * @param window microseconds of the system's monotonic clock, which the profile counts in as well
 * @returns the functions that themselves took most of the time in it, and their share of that in per cent
 */
export function topSelfTimes({ nodes, samples, timeDeltas, startTime }, { began, ended }, count) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const times = new Map();
  let now = startTime;
  let total = 0;
  for (const [index, id] of samples.entries()) {
    now += timeDeltas[index];
    if (now < began || now > ended) continue;
    const { functionName, url, lineNumber } = frames.get(id);
    const key = `${functionName || '(anonymous)'}\0${placeOf(url, lineNumber)}`;
    times.set(key, (times.get(key) ?? 0) + timeDeltas[index]);
    total += timeDeltas[index];
  }
  const top = [...times].toSorted(([, a], [, b]) => b - a).slice(0, count);
  return top.map(([key, micros]) => {
    const [name, where] = key.split('\0');
    return { name, where, share: (100 * micros) / total };
  });
}

function placeOf(url, lineNumber) {
  const file = url.startsWith('file:') ? relative(root, fileURLToPath(url)) : url;
  return file === '' ? '' : `${file}:${lineNumber + 1}`;
}
