/** All who use the servers at the same time: some fifty requests a second. */
import { setTimeout as sleep } from 'node:timers/promises';
import { assertionBeat, plainBeat, proofBeat } from './beats.mjs';
import { exchanger, vender } from './delegation.mjs';
import { Family } from './families.mjs';
import { replayer, revoker, suspender, thief, withdrawer } from './takers.mjs';
import { watcher } from './watching.mjs';

/** Begins with a code flow and refreshes; every so often the person signs in anew. */
const refresher = (kind) => (stage, person) => {
  const family = new Family(stage, kind, person);
  const turnsUntilNew = 25 + Math.floor(Math.random() * 30);
  return async () => {
    const old = (family.generation ?? 0) > turnsUntilNew;
    if (old) family.browser.signOut();
    if (!family.ground || old || !(await family.turn())) await family.begin();
  };
};

/** [who, how many, milliseconds between two steps] */
const CAST = [
  [refresher('public'), 4, 1_000],
  [refresher('confidential'), 4, 1_000],
  [refresher('bound'), 4, 1_000],
  [exchanger, 2, 1_000],
  [vender, 2, 700],
  [revoker, 2, 1_500],
  [withdrawer, 1, 2_500],
  [suspender, 1, 2_500],
  [thief, 1, 2_500],
  [replayer, 1, 300],
  [watcher, 1, 200],
];

export class Load {
  /** @param stage `{ world, door, ledger, timeline }`, shared by everybody */
  static start(stage) {
    const load = new Load();
    load.stage = Object.assign(stage, { over: false, abandoned: false });
    const people = stage.world.people;
    let next = 0;
    const actors = CAST.flatMap(([who, many, pause]) =>
      Array.from({ length: many }, () => act(stage, () => who(stage, people[next++ % people.length]), pause)),
    );
    load.all = Promise.all([...actors, plainBeat(stage), proofBeat(stage), assertionBeat(stage)]);
    return load;
  }

  /** Everybody finishes what they are at. */
  async stop() {
    this.stage.over = true;
    const giveUp = setTimeout(() => (this.stage.abandoned = true), 30_000);
    await this.all;
    clearTimeout(giveUp);
    if (this.stage.abandoned)
      this.stage.ledger.violate('the servers did not come back', '30 seconds after the load ended');
  }
}

async function act(stage, begin, pause) {
  let step;
  await sleep(Math.random() * 1_500);
  while (!stage.over) {
    while (stage.paused) await sleep(100);
    try {
      step ??= await begin();
      await step();
    } catch (error) {
      stage.ledger.violate('the load itself failed', error.stack);
    }
    await sleep(pause * (0.7 + Math.random() * 0.6));
  }
}
