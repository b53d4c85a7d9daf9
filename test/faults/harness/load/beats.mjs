/** Requests at a fixed beat that nobody repeats: they tell for how long there was no service. */
import { setTimeout as sleep } from 'node:timers/promises';
import { askForToken, assertionOf, ProofKey } from './asking.mjs';

const MAX_WAITING = 64;
const ASSERTION = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const PROOF_LIFETIME_MILLIS = 60_000;

async function beat(stage, everyMillis, strike) {
  let waiting = 0;
  let next = performance.now();
  while (!stage.over) {
    if (waiting < MAX_WAITING && !stage.paused) {
      waiting += 1;
      void strike()
        .catch((error) => stage.ledger.violate('the load itself failed', error.stack))
        .finally(() => (waiting -= 1));
    }
    next += everyMillis;
    await sleep(Math.max(0, next - performance.now()));
  }
  while (waiting > 0) await sleep(50);
}

const formOf = ({ world }) => ({ grant_type: 'client_credentials', resource: world.notes.uri });

/** A machine without a key. */
export const plainBeat = (stage) =>
  beat(stage, 100, async () => {
    const answer = await askForToken(stage, 'machine', stage.world.clients.machine, formOf(stage));
    if (answer.outcome === 'ok') stage.ledger.issued(answer.body.access_token);
    else if (answer.outcome === 'refused') stage.ledger.violate('a fault was answered with a refusal', answer.what);
  });

/** A machine whose tokens are bound to a key. Each proof that was taken must not work again, at no replica. */
export async function proofBeat(stage) {
  const key = await ProofKey.make();
  const { machine } = stage.world.clients;
  await beat(stage, 200, async () => {
    const answer = await key.ask(stage, 'machine with proof', machine, formOf(stage));
    if (answer.outcome === 'refused') stage.ledger.violate('a fault was answered with a refusal', answer.what);
    if (answer.outcome !== 'ok') return;
    stage.ledger.issued(answer.body.access_token);
    const again = (at) => askForToken(stage, 'replay', machine, formOf(stage), { at, headers: { dpop: answer.proof } });
    stage.ledger.spentOnce('a proof', again, { until: Date.now() + PROOF_LIFETIME_MILLIS });
  });
}

/** A machine that authenticates with a key. Each assertion that was taken must not work again. */
export const assertionBeat = (stage) =>
  beat(stage, 500, async () => {
    const { keyed } = stage.world.clients;
    const assertion = await assertionOf(stage.world.issuer, keyed);
    const form = { ...formOf(stage), client_assertion_type: ASSERTION, client_assertion: assertion };
    const answer = await askForToken(stage, 'machine with assertion', keyed, form);
    if (answer.outcome === 'refused') stage.ledger.violate('a fault was answered with a refusal', answer.what);
    if (answer.outcome !== 'ok') return;
    stage.ledger.issued(answer.body.access_token);
    const again = (at) => askForToken(stage, 'replay', keyed, form, { at });
    stage.ledger.spentOnce('an assertion', again, { until: Date.now() + 120_000 });
  });
