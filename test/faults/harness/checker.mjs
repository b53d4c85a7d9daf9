/** When the load is over: everything that was acknowledged is held against what the servers and the database say now. */
import { check } from './load/watching.mjs';
import { until } from './processes.mjs';

const LANES = 6;
const MOST_TOKENS = 4_000;
const MOST_REPLAYS = 150;

export async function checkAll(stage) {
  const { world, ledger } = stage;
  for (const crash of world.replicas.flatMap(({ crashes }) => crashes))
    ledger.violate('a replica ended by itself', crash);
  ledger.forgetExpired();
  await Promise.all(world.replicas.map((replica) => replica.untilReady()));
  await untilProofsAreTaken(stage);
  await checkTokens(stage);
  await checkRows(stage);
  await checkReplays(stage);
  await checkFamilies(stage);
}

/** After a fault of Redis a replica may refuse proofs for a moment longer than it reports itself ready. */
async function untilProofsAreTaken({ world, door }) {
  const form = { grant_type: 'client_credentials' };
  for (const { url } of world.replicas) {
    const headers = { dpop: 'not-a-proof' };
    const answers = async () =>
      (await door.ask('probe', '/oauth/token', { at: url, headers, form })).outcome !== 'lost';
    await until('an answer', answers, { seconds: 20 });
  }
}

/** Each through some replica; what was taken back through every one. */
async function checkTokens(stage) {
  const { world, ledger } = stage;
  const tokens = sample(ledger.tokens, MOST_TOKENS);
  await each(tokens, async (token) => {
    for (let tries = 0; tries < 5; tries += 1) if (await check(stage, token, world.someReplica().url)) return;
    ledger.violate('a token could not be asked about', token.jti);
  });
  const dead = sample(ledger.dead, MOST_TOKENS / 10);
  for (const { url } of world.replicas) await each(dead, (token) => check(stage, token, url));
  ledger.count('tokens held against the servers', tokens.length);
}

async function checkRows({ world, ledger }) {
  const jtis = ledger.tokens.map(({ jti }) => jti);
  await mustBeEmpty(
    'an acknowledged token has no row',
    `
    select jti from unnest($1::uuid[]) as asked(jti) where not exists (select from issuances i where i.jti = asked.jti)`,
    [jtis],
  );
  await mustBeEmpty(
    'an acknowledged token has no audit event',
    `
    select jti from unnest($1::text[]) as asked(jti)
    except select detail->>'jti' from audit_events where action = any('{token.issued,token.refreshed,token.exchanged,client_credentials.issued}')`,
    [jtis],
  );
  await mustBeEmpty(
    'an acknowledged consent is gone',
    `
    select * from jsonb_to_recordset($1::jsonb) as r("userId" uuid, "clientId" text, "resourceId" uuid)
     where not exists (select from consents c where c.user_id = "userId" and c.client_id = "clientId" and c.resource_id = "resourceId"
       and c.superseded_at is null and c.revoked_at is null)`,
    [JSON.stringify([...ledger.consents.values()])],
  );
  const revoked = ledger.revoked.filter(({ kind }) => kind !== 'client').map(({ kind, id }) => ({ kind, id }));
  await mustBeEmpty(
    'an acknowledged revocation is gone',
    `
    select * from jsonb_to_recordset($1::jsonb) as r(kind text, id text)
     where not exists (select from revocations v where v.kind = r.kind and v.id = r.id)`,
    [JSON.stringify(revoked)],
  );
  const suspended = ledger.revoked.filter(({ kind }) => kind === 'client').map(({ id }) => id);
  await mustBeEmpty(
    'an acknowledged suspension is gone',
    `
    select id from unnest($1::text[]) as asked(id) where not exists (select from clients c where c.id = asked.id and c.status = 'suspended')`,
    [suspended],
  );
  const families = [...ledger.families].map(({ ground, generation }) => ({ id: ground.id, generation }));
  await mustBeEmpty(
    'an acknowledged rotation is gone',
    `
    select * from jsonb_to_recordset($1::jsonb) as r(id uuid, generation int)
     where not exists (select from families f where f.id = r.id and f.generation >= r.generation)`,
    [JSON.stringify(families)],
  );
  const [{ vends }] = await world.sql(
    `select count(*)::int as vends from audit_events where action = 'upstream.token.issued'`,
  );
  if (vends < (ledger.counts.vends ?? 0))
    ledger.violate('an acknowledged vend has no audit event', `${vends} of ${ledger.counts.vends}`);

  async function mustBeEmpty(rule, sql, values) {
    const rows = await world.sql(sql, values);
    for (const row of rows) ledger.violate(rule, JSON.stringify(row));
  }
}

/** What worked once, once more, at every replica. */
async function checkReplays({ world, ledger }) {
  const spent = ledger.spent.filter(({ until: end }) => end > Date.now()).slice(-MOST_REPLAYS);
  for (const { url } of world.replicas)
    await each(spent, async ({ kind, again }) => {
      const { outcome } = await again(url);
      ledger.count('replays tried');
      if (outcome === 'ok') ledger.violate('a replay was accepted', `${kind}, after the load`);
    });
}

/** Each chain goes on with the token that was acknowledged last, and with none before it. */
async function checkFamilies({ world, ledger }) {
  for (const family of ledger.families) {
    if (!(await family.turn())) {
      ledger.violate('a family does not go on', `${family.kind} ${family.ground.id}`);
      continue;
    }
    ledger.count('families that go on');
    const [old] = family.spentTokens;
    const form = { grant_type: 'refresh_token', refresh_token: old };
    family.ground.unsettle();
    if (family.spentTokens.length < 2) continue; // the immediate predecessor may have its answer again
    const answers = await Promise.all(world.replicas.map(({ url }) => family.ask('replay', form, url)));
    for (const { outcome } of answers) {
      ledger.count('replays tried');
      if (outcome === 'ok') ledger.violate('a replay was accepted', `a refresh token of a ${family.kind} client`);
    }
  }
}

async function each(items, work) {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await work(items[next++]);
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

const sample = (items, most) =>
  items.length <= most ? items : items.filter(() => Math.random() < most / items.length);
