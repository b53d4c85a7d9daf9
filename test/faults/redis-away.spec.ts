import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  redeem,
  refresh,
  tokensOf,
  type ClientFixture,
  type GrantedCode,
  type TokenResponse,
} from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { ACCESS_TOKEN, EXCHANGE } from '../exchanges.js';
import { startReplicas, type Replicas } from '../replicas.js';
import type { ServerProcess } from '../server-process.js';
import { until } from '../until.js';

const MACHINE_FORM = { grant_type: 'client_credentials' };
const AWAY = [503, 'temporarily_unavailable'];

let replicas: Replicas;
let servers: ServerProcess[];
let key: ProofKey;
let machine: ClientFixture;
beforeAll(async () => {
  replicas = await startReplicas({
    CLIENT_CREDENTIALS_ENABLED: 'true',
    TOKEN_EXCHANGE_ENABLED: 'true',
    TOKEN_EXCHANGE_ALLOW_SELF_EXCHANGE: 'true',
  });
  servers = [replicas.one, replicas.two];
  key = await aKey();
  const draft = { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' };
  machine = await aConfidentialClient(replicas.one, draft);
});
afterEach(() => replicas.redis.thaw());
afterAll(() => replicas?.stop());

const proof = (claims: Record<string, unknown> = {}): Promise<string> => aProof(replicas.one, key, claims);
const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];
const asMachine = (at: ServerProcess, sent?: string): Promise<TokenResponse> =>
  askWith(at, sent, MACHINE_FORM, machine);

/** A request that each grant would answer with a token, once where it spends something. */
interface Asked {
  readonly form: Record<string, string>;
  readonly client: ClientFixture;
}

const codeForm = ({ code, verifier }: GrantedCode) => ({
  grant_type: 'authorization_code',
  code,
  code_verifier: verifier,
});
const exchangeForm = (token: string) => ({
  grant_type: EXCHANGE,
  subject_token: token,
  subject_token_type: ACCESS_TOKEN,
});

/** One of every grant, the codes and families with and without a key that they are bound to. */
async function oneOfEach(): Promise<Record<string, Asked>> {
  const { one } = replicas;
  const grant_types = ['authorization_code', 'refresh_token', EXCHANGE];
  const [person, agent] = [
    await aFlow(one),
    await aFlow(one, { token_endpoint_auth_method: 'client_secret_basic', grant_types }),
  ];
  const bound = await askWith(one, await proof(), codeForm(await aGrantedCode(person)), person.client);
  const [{ tokens }, subject] = [await tokensOf(person), await tokensOf(agent)];
  return {
    'a code': { form: codeForm(await aGrantedCode(person)), client: person.client },
    'a bound code': { form: codeForm(await aGrantedCode(person, { dpop_jkt: key.jkt })), client: person.client },
    'a refresh token': {
      form: { grant_type: 'refresh_token', refresh_token: tokens.refresh_token },
      client: person.client,
    },
    'a bound refresh token': {
      form: { grant_type: 'refresh_token', refresh_token: bound.body.refresh_token },
      client: person.client,
    },
    'an exchange': { form: exchangeForm(subject.tokens.access_token), client: agent.client },
    'a machine': { form: MACHINE_FORM, client: machine },
  };
}

/** What was ever issued or spent. */
const spent = async (): Promise<unknown[]> => [
  ...(await replicas.sql('select count(*)::int as issuances from issuances')),
  ...(await replicas.sql('select count(*)::int as codes from authorization_codes where spent_at is not null')),
  ...(await replicas.sql('select id, generation from families order by id')),
];

/** With a proof, everything is refused by both servers, in time and without a trace. */
async function expectRefusedInTime(asked: Record<string, Asked>): Promise<void> {
  const before = await spent();
  // Alone, so that what is measured is how long the server waits for Redis, not how busy this machine is.
  for (const at of servers) {
    const sent = await proof();
    const began = performance.now();
    expect(outcome(await asMachine(at, sent))).toEqual(AWAY);
    expect(performance.now() - began).toBeLessThan(1_900); // it waits for a second, and not twice
  }
  const answers = await Promise.all(
    Object.entries(asked).flatMap(([what, { form, client }]) =>
      servers.map(async (at) => {
        const answer = await askWith(at, await proof(), form, client);
        return [what, ...outcome(answer), Number(answer.headers.get('retry-after')) > 0];
      }),
    ),
  );
  expect(await spent()).toEqual(before);
  for (const answer of answers) expect(answer).toEqual([answer[0], ...AWAY, true]);
}

/** Without a proof nobody needs Redis: a person signs in, allows, and the client gets, renews and exchanges its tokens. */
async function expectServedWithout(): Promise<void> {
  const { one, two } = replicas;
  const grant_types = ['authorization_code', 'refresh_token', EXCHANGE];
  const flow = await aFlow(one, { token_endpoint_auth_method: 'client_secret_basic', grant_types });
  const granted = await aGrantedCode(flow);
  const first = await redeem({ ...granted, app: two });
  expect(outcome(first)).toEqual([200, 'Bearer']);
  expect(outcome(await refresh(flow, first.body.refresh_token))).toEqual([200, 'Bearer']);
  const exchanged = await askWith(two, undefined, exchangeForm(first.body.access_token), flow.client);
  expect(outcome(exchanged)).toEqual([200, 'Bearer']);
  for (const at of servers) expect(outcome(await asMachine(at))).toEqual([200, 'Bearer']);
}

async function untilBack(): Promise<void> {
  for (const at of servers) {
    const status = async () => (await asMachine(at, await proof())).status;
    await until('Redis is back', status, (answered) => answered !== 503);
  }
}

describe('two servers whose Redis', () => {
  it('[D16] is frozen refuse what carries a proof, in time and spending nothing, and serve the rest', async () => {
    const asked = await oneOfEach();
    replicas.redis.freeze();
    await expectRefusedInTime(asked);
    await expectServedWithout();
    await expectRefusedInTime(asked);
    replicas.redis.thaw();
    await untilBack();
    for (const [what, { form, client }] of Object.entries(asked)) {
      expect([what, ...outcome(await askWith(replicas.one, await proof(), form, client))]).toEqual([what, 200, 'DPoP']);
    }
  });

  it('[D12 D16] is gone do the same; when it is back, empty, used proofs stay refused and fresh ones need a nonce given since', async () => {
    const { one, two, redis } = replicas;
    const asked = await oneOfEach();
    const nonce = (await asMachine(one, await proof())).headers.get('dpop-nonce')!;
    const used = await Promise.all([proof(), proof({ nonce }), proof(), proof({ nonce })]);
    for (const sent of used) expect(outcome(await asMachine(one, sent))).toEqual([200, 'DPoP']);

    await redis.kill();
    await expectRefusedInTime(asked);
    await expectServedWithout();
    await redis.start();
    await untilBack();

    const before = await spent();
    for (const [n, at] of servers.entries()) {
      for (const sent of [...used.slice(2 * n, 2 * n + 2), await proof({ nonce }), await proof()])
        expect(outcome(await asMachine(at, sent))).toEqual([400, 'use_dpop_nonce']);
    }
    expect(await spent()).toEqual(before);
    const given = (await asMachine(one, await proof())).headers.get('dpop-nonce')!;
    expect(given).not.toBe(nonce);
    for (const [what, { form, client }] of Object.entries(asked)) {
      const sent = await proof({ nonce: given });
      expect([what, ...outcome(await askWith(two, sent, form, client))]).toEqual([what, 200, 'DPoP']);
      expect(outcome(await asMachine(one, sent))).toEqual([400, 'invalid_dpop_proof']);
    }
  });
});
