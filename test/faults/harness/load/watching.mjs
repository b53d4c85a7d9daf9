/** Resource servers that ask all the while whether tokens are active, of any replica. */
import { expectedOf } from '../ledger.mjs';
import { basicOf } from './asking.mjs';

/** @returns whether the token is active; undefined when the server could not say */
export async function introspect({ door, world }, token, at) {
  const headers = basicOf(world.clients.watching);
  const { outcome, body } = await door.ask('introspect', '/oauth/introspect', { at, headers, form: { token } });
  return outcome === 'ok' ? body.active : undefined;
}

/** Asks about one token, and holds the answer against what was acknowledged before the question and is so after the answer. */
export async function check(stage, token, at) {
  const before = expectedOf(token.grounds);
  const active = await introspect(stage, token.value, at);
  if (active === undefined) return false;
  stage.ledger.count('introspections');
  const about = token.grounds.map(({ kind, id, state }) => `${kind} ${id ?? ''} ${state}`).join(', ');
  if (before === 'inactive' && active) stage.ledger.violate('something that was revoked is active', about);
  const expired = token.exp * 1000 < Date.now();
  if (before === 'active' && !active && !expired && expectedOf(token.grounds) === 'active')
    stage.ledger.violate('a token that was acknowledged is not active', about);
  return true;
}

export const watcher = (stage) => async () => {
  const { tokens, dead } = stage.ledger;
  const from = Math.random() < 0.3 && dead.length > 0 ? dead.slice(-300) : tokens.slice(-600);
  const token = from[Math.floor(Math.random() * from.length)];
  if (token) await check(stage, token, Math.random() < 0.5 ? stage.world.someReplica().url : undefined);
};
