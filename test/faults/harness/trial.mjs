/** One fault: a world, a load, the fault in the middle of it, and the check at the end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { checkAll } from './checker.mjs';
import { Door } from './door.mjs';
import { Ledger } from './ledger.mjs';
import { Load } from './load/load.mjs';
import { Timeline } from './timeline.mjs';
import { World } from './world.mjs';

const SETTLE_MILLIS = 5_000;

/**
 * @param curable every failed request must succeed when it is repeated once
 * @returns what the report tells of it
 */
export async function trial(name, { world: needs, strike, curable = false }, { before, after }) {
  const world = await World.start(needs);
  const [ledger, timeline] = [new Ledger(), new Timeline()];
  const door = new Door(world.issuer, ledger, timeline);
  const stage = { world, door, ledger, timeline };
  try {
    const load = Load.start(stage);
    await sleep(SETTLE_MILLIS);
    const begun = performance.now();
    await sleep(before * 1000);
    const struck = performance.now();
    const noted = await strike(world, stage);
    const mended = performance.now();
    await sleep(after * 1000);
    const ended = performance.now();
    await load.stop();
    const { uncured = 0 } = ledger.counts;
    if (curable && uncured > 0) ledger.violate('a failure that one retry does not cure', `${uncured} of them`);
    await checkAll(stage);
    return figures({ name, noted, ledger, timeline, begun, struck, mended, ended });
  } finally {
    await door.close();
    await world.stop();
  }
}

function figures({ name, noted, ledger, timeline, begun, struck, mended, ended }) {
  const calm = timeline.since(begun, struck);
  const events = timeline.since(struck, ended);
  const seconds = (millis) => Math.round(millis / 10) / 100;
  const gap = (list, from, to, kind) => seconds(Timeline.longestGap(list, from, to, kind));
  const kinds = ['machine', 'machine with proof', 'refresh', 'code', 'exchange', 'vend', 'introspect'];
  const { counts } = ledger;
  const violations = [...ledger.violations].map(([rule, of]) => ({ rule, ...of }));
  return {
    fault: name,
    noted,
    secondsOfFault: seconds(mended - struck),
    requests: timeline.since(begun, ended).length,
    requestsPerSecond: Math.round((timeline.since(begun, ended).length / (ended - begun)) * 1000),
    longestWithoutSuccess: gap(events, struck, ended),
    longestWithoutSuccessByKind: Object.fromEntries(kinds.map((kind) => [kind, gap(events, struck, ended, kind)])),
    longestWithoutSuccessBefore: gap(calm, begun, struck),
    slowestAnswer: seconds(Math.max(...events.map(({ began, ended: at }) => at - began), 0)),
    failures: Timeline.failures(events),
    failuresBefore: Timeline.failures(calm),
    counts,
    families: {
      boundOrConfidentialKilled: ledger.violations.get('a family was wrongly killed')?.times ?? 0,
      unboundPublicEnded: counts['unbound public families ended by a lost answer'] ?? 0,
      afterTheRetryWindow: counts['families whose client came back after the retry window'] ?? 0,
    },
    slowestRevocationCheckMillis: Math.round(ledger.slowestCheck ?? 0),
    violations,
  };
}
