/** A long load without a fault: what the processes hold must not grow with the time. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { checkAll } from './checker.mjs';
import { Door } from './door.mjs';
import { Ledger } from './ledger.mjs';
import { Load } from './load/load.mjs';
import { Timeline } from './timeline.mjs';
import { World } from './world.mjs';

/** Connections that nobody needs are closed at once, so that one that is never given back is seen. */
const EAGER_POOL = { AUTHPLANE_STORAGE_POSTGRES_MAX_CONN_IDLE_TIME: '10s' };
const EVERY_MILLIS = 10_000;
/** So often the load stops for a while: what is still open then is needed by nobody. */
const PAUSES = 10;
/** Two windows of the probe, one of which saw nothing but the pause, and time for what was in flight. */
const PAUSE_MILLIS = 30_000;
const OPEN = ['handles', 'file descriptors', 'Postgres connections', 'Redis connections'];
/** Caches fill and code is compiled: that growth is no leak. */
const WARM_UP_SHARE = 0.3;
/** What may grow per hour, beyond twice the error of the slope, before it counts as a leak. */
const TOLERATED = {
  'heap MB': 5,
  'resident MB': 10,
  handles: 6,
  'file descriptors': 6,
  'Postgres connections': 6,
  'Redis connections': 3,
};

export async function soak(minutes, needs = {}) {
  const probe = `--import=${join(import.meta.dirname, 'footprint-probe.mjs')}`;
  const world = await World.start({ ...needs, env: { NODE_OPTIONS: probe, ...EAGER_POOL } });
  const [ledger, timeline] = [new Ledger(), new Timeline()];
  const door = new Door(world.issuer, ledger, timeline);
  const stage = { world, door, ledger, timeline };
  try {
    const load = Load.start(stage);
    const began = performance.now();
    const samples = [];
    const counted = { requests: 0, failures: {} };
    let from = began;
    let pauses = 0;
    while (performance.now() - began < minutes * 60_000) {
      await sleep(EVERY_MILLIS);
      const hours = (performance.now() - began) / 3_600_000;
      samples.push(...(await sample(world, hours, (what) => !OPEN.includes(what))));
      if (hours * 60 >= ((pauses + 1) * minutes) / PAUSES) {
        pauses += 1;
        stage.paused = true;
        await sleep(PAUSE_MILLIS);
        samples.push(...(await sample(world, hours, (what) => OPEN.includes(what))));
        stage.paused = false;
      }
      from = count(timeline, from, counted);
      ledger.forgetExpired();
    }
    await load.stop();
    count(timeline, from, counted);
    await checkAll(stage);
    const verdicts = judge(samples);
    for (const { what, of, leaks, text } of verdicts) if (leaks) ledger.violate('a leak', `${what} of ${of}: ${text}`);
    const violations = [...ledger.violations].map(([rule, of]) => ({ rule, ...of }));
    return { minutes, ...counted, counts: ledger.counts, verdicts, violations, samples };
  } finally {
    await door.close();
    await world.stop();
  }
}

function count(timeline, from, counted) {
  const now = performance.now();
  const events = timeline.since(from, now);
  counted.requests += events.length;
  for (const [what, times] of Object.entries(Timeline.failures(events)))
    counted.failures[what] = (counted.failures[what] ?? 0) + times;
  timeline.forgetBefore(now);
  return now;
}

/** @param wanted what is measured under load differs from what is measured in a pause */
async function sample(world, hours, wanted) {
  const [postgres, redis] = await Promise.all([world.postgres.connections(), world.redis.connections()]);
  const each = world.replicas.map((replica) => {
    const lines = existsSync(replica.footprints) ? readFileSync(replica.footprints, 'utf8').trim().split('\n') : [];
    const { heap, handles, descriptors } = JSON.parse(lines.at(-1) ?? '{}');
    const values = {
      'resident MB': replica.residentMegabytes,
      'heap MB': heap,
      handles,
      'file descriptors': descriptors,
    };
    return { hours, of: replica.name, ...values };
  });
  const all = [...each, { hours, of: 'all replicas', 'Postgres connections': postgres, 'Redis connections': redis }];
  const kept = ([what]) => what === 'hours' || what === 'of' || wanted(what);
  return all.map((one) => Object.fromEntries(Object.entries(one).filter(kept)));
}

/** A straight line through each series after the warm-up. */
function judge(samples) {
  const last = Math.max(...samples.map(({ hours }) => hours));
  const settled = samples.filter(({ hours }) => hours > last * WARM_UP_SHARE);
  const series = new Map();
  for (const { hours, of, ...values } of settled)
    for (const [what, value] of Object.entries(values))
      if (value !== undefined) series.set(`${what}|${of}`, [...(series.get(`${what}|${of}`) ?? []), [hours, value]]);
  return [...series].map(([key, points]) => {
    const [what, of] = key.split('|');
    const { slope, error, mean } = regression(points);
    const text = `${mean.toFixed(1)} on average, ${slope.toFixed(2)} ± ${error.toFixed(2)} per hour over ${points.length} samples`;
    return { what, of, mean, slope, error, text, leaks: slope - 2 * error > TOLERATED[what] };
  });
}

/** Least squares. @returns the slope and its standard error */
function regression(points) {
  const n = points.length;
  const mean = (at) => points.reduce((all, point) => all + point[at], 0) / n;
  const [meanX, meanY] = [mean(0), mean(1)];
  const spread = points.reduce((all, [x]) => all + (x - meanX) ** 2, 0);
  const slope = points.reduce((all, [x, y]) => all + (x - meanX) * (y - meanY), 0) / spread;
  const residual = points.reduce((all, [x, y]) => all + (y - meanY - slope * (x - meanX)) ** 2, 0);
  return { slope, error: Math.sqrt(residual / (n - 2) / spread), mean: meanY };
}
