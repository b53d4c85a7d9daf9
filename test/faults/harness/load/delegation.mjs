/** An MCP server that was shown a person's token exchanges it for one of an API behind it, and for an upstream token. */
import { askForToken, persist } from './asking.mjs';
import { Family } from './families.mjs';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const REFRESH_EVERY = 40;

async function ask(stage, kind, { token }, target) {
  const subject = { subject_token: token.value, subject_token_type: ACCESS_TOKEN };
  const form = { grant_type: EXCHANGE, ...subject, resource: target.uri };
  const answer = await persist(stage, kind, () => askForToken(stage, kind, stage.world.clients.acting, form));
  if (answer.outcome === 'refused')
    stage.ledger.violate(
      'a fault was answered with a refusal',
      `${kind}: ${JSON.stringify(answer.body).slice(0, 300)}`,
    );
  return answer.outcome === 'ok' ? answer.body.access_token : undefined;
}

/** @returns one step of an actor */
async function shown(stage, person, step) {
  const family = new Family(stage, 'confidential', person);
  let steps = 0;
  return async () => {
    if (!family.ground || (steps % REFRESH_EVERY === 0 && !(await family.turn()))) {
      if (!(await family.begin())) return;
    }
    steps += 1;
    await step(family);
  };
}

export async function exchanger(stage, person) {
  // The person allows the client the API, too, or it would be asked for at every exchange.
  await new Family(stage, 'confidential', person, { resource: stage.world.archive }).begin();
  return shown(stage, person, async (family) => {
    const { grounds } = family.token;
    const token = await ask(stage, 'exchange', family, stage.world.archive);
    if (token) stage.ledger.issued(token, grounds);
  });
}

export const vender = (stage, person) =>
  shown(stage, person, async (family) => {
    const token = await ask(stage, 'vend', family, stage.world.repos);
    if (token === undefined) return;
    stage.ledger.count('vends');
    if (!stage.world.upstream.gave(token, person.upstreamToken))
      stage.ledger.violate('a vend gave what upstream had not given for this person', token);
  });
