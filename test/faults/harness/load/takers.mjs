/** Those who take back what was given, and those who try to use it once more; what was taken back is gone at the next request, anywhere. */
import { Ground, claimsOf } from '../ledger.mjs';
import { ADMIN_KEY } from '../replica.mjs';
import { askForToken, basicOf, persist } from './asking.mjs';
import { Family } from './families.mjs';
import { check, introspect } from './watching.mjs';

/** At every replica, at the next request. */
async function mustBeGone(stage, token, what) {
  const asked = performance.now();
  const { replicas } = stage.world;
  const seen = await Promise.all(
    replicas.filter(({ lives }) => lives).map((replica) => introspect(stage, token.value, replica.url)),
  );
  for (const active of seen) {
    if (active === undefined) continue;
    stage.ledger.count('revocations checked at the next request');
    if (active) stage.ledger.violate('something that was revoked is active at the next request', what);
  }
  stage.ledger.dead.push(token);
  stage.ledger.slowestCheck = Math.max(stage.ledger.slowestCheck ?? 0, performance.now() - asked);
}

/** Before it ends, everybody has seen that it is active: whoever remembers that will be found out. */
const seenEverywhere = (stage, token) =>
  Promise.all(stage.world.replicas.filter(({ lives }) => lives).map(({ url }) => check(stage, token, url)));

const aFamily = async (stage, kind, person, options) => {
  const family = new Family(stage, kind, person, options);
  if (!(await family.begin())) return undefined;
  stage.ledger.families.delete(family); // it will not live long
  await seenEverywhere(stage, family.token);
  return family;
};

/** The client gives a refresh token back, or an access token alone. */
export const revoker = (stage, person) => {
  let turn = 0;
  return async () => {
    const family = await aFamily(stage, 'confidential', person);
    if (!family) return;
    turn += 1;
    const whole = turn % 2 === 0;
    const ground = whole ? family.ground : family.token.grounds[0];
    ground.unsettle();
    const form = { token: whole ? family.refreshToken : family.token.value };
    const answer = await persist(stage, 'revoke', () =>
      stage.door.ask('revoke', '/oauth/revoke', { headers: basicOf(family.client), form }),
    );
    if (answer.outcome === 'refused') stage.ledger.violate('a fault was answered with a refusal', answer.what);
    if (answer.outcome !== 'ok') return;
    stage.ledger.ended(ground);
    await mustBeGone(stage, family.token, whole ? 'a family' : 'an access token');
  };
};

const askOperator = (stage, method, path, json, replica = stage.world.someReplica()) =>
  stage.door.ask('operator', `/admin/${path}`, {
    at: replica.adminUrl,
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}` },
    json,
  });

/** What a person allowed is taken back. */
export const withdrawer = (stage, person) => async () => {
  const family = await aFamily(stage, 'withdrawn', person);
  if (!family) return;
  const found = await persist(stage, 'operator', () => askOperator(stage, 'GET', `users/${person.id}/grants`));
  const consent = consentsIn(found.body).find(
    (each) => each.client_id === family.client.client_id && !each.superseded_at && !each.revoked_at,
  );
  if (!consent) {
    if (found.outcome === 'ok') stage.ledger.violate('a consent that was acknowledged is not there', person.email);
    return;
  }
  family.consent.id = consent.id;
  family.consent.unsettle();
  const answer = await persist(stage, 'operator', () => askOperator(stage, 'DELETE', `grants/consent/${consent.id}`));
  // 404: the first attempt, whose answer was lost, has done it.
  if (answer.outcome !== 'ok' && answer.status !== 404) return;
  stage.ledger.ended(family.consent);
  stage.ledger.consents.delete(`${person.id} ${family.client.client_id} ${family.resource.id}`);
  await mustBeGone(stage, family.token, 'a consent');
};

const consentsIn = (body) => Object.values(body ?? {}).find((value) => Array.isArray(value) && value[0]?.scopes) ?? [];

/** A client is made, used and suspended, each through another replica. */
export const suspender = (stage) => async () => {
  const { world, ledger } = stage;
  const draft = {
    client_name: 'Doomed',
    redirect_uris: [],
    grant_types: ['client_credentials'],
    token_endpoint_auth_method: 'client_secret_basic',
    scope: 'notes:read',
  };
  const made = await persist(stage, 'operator', () => askOperator(stage, 'POST', 'clients', draft));
  if (made.outcome !== 'ok') return;
  const form = { grant_type: 'client_credentials', resource: world.notes.uri };
  const answer = await persist(stage, 'machine', () => askForToken(stage, 'machine', made.body, form));
  if (answer.outcome === 'refused')
    ledger.violate('a fault was answered with a refusal', `a new client: ${answer.what}`);
  if (answer.outcome !== 'ok') return;
  const ground = new Ground('client', made.body.client_id);
  const token = ledger.issued(answer.body.access_token, [ground]);
  await seenEverywhere(stage, token);
  ground.unsettle();
  const path = `clients/${made.body.client_id}/suspend`;
  const suspended = await persist(stage, 'operator', () => askOperator(stage, 'PATCH', path));
  if (suspended.outcome !== 'ok') return;
  ledger.ended(ground);
  await mustBeGone(stage, token, 'a client');
  const { url } = world.someReplica();
  const after = await askForToken(stage, 'refused on purpose', made.body, form, { at: url });
  if (after.outcome === 'ok') ledger.violate('a suspended client got a token', claimsOf(after.body.access_token).jti);
};

/** Sends a code or a refresh token that was spent once more, at several replicas together; that ends the family. */
export const thief = (stage, person) => {
  let turn = 0;
  return async () => {
    const { world, ledger } = stage;
    const family = await aFamily(stage, 'public', person);
    if (!family) return;
    turn += 1;
    let form = family.codeForm;
    if (turn % 2 === 0) {
      form = { grant_type: 'refresh_token', refresh_token: family.refreshToken };
      if (!(await family.turn())) return;
    }
    ledger.families.delete(family);
    family.ground.unsettle();
    const alive = world.replicas.filter(({ lives }) => lives);
    const answers = await Promise.all(alive.map(({ url }) => family.ask('replay', form, url)));
    for (const { outcome } of answers) {
      ledger.count('replays tried');
      if (outcome === 'ok') ledger.violate('a replay was accepted', form.grant_type);
    }
    if (!answers.some(({ outcome }) => outcome === 'refused')) return;
    ledger.ended(family.ground);
    await mustBeGone(stage, family.token, 'a family whose token was replayed');
  };
};

/** Sends proofs and assertions that worked to another replica. */
export const replayer = (stage) => async () => {
  const { ledger, world } = stage;
  const recent = ledger.spent.slice(-150).filter(({ until }) => until > Date.now());
  const chosen = recent[Math.floor(Math.random() * recent.length)];
  if (!chosen) return;
  const { outcome } = await chosen.again(world.someReplica().url);
  ledger.count('replays tried');
  if (outcome === 'ok') ledger.violate('a replay was accepted', chosen.kind);
};
