import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SettableClock, startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, type ClientFixture, type TokenResponse } from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { startRedis, type TestRedis } from '../redis.js';

const FORM = { grant_type: 'client_credentials' };
const settings = { CLIENT_CREDENTIALS_ENABLED: 'true' };

let redis: TestRedis;
let one: TestApp;
let two: TestApp;
let key: ProofKey;
let client: ClientFixture;
beforeAll(async () => {
  redis = await startRedis();
  one = await startTestApp({ redisUrl: redis.url, settings });
  two = await startTestApp({ beside: one, clock: one.clock, redisUrl: redis.url, settings });
  key = await aKey();
  client = await aConfidentialClient(one, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
});
afterAll(async () => {
  await two.close();
  await one.close();
  await redis.stop();
});

const proof = (claims: Record<string, unknown> = {}): Promise<string> => aProof(one, key, claims);
const ask = (at: TestApp, sent?: string): Promise<TokenResponse> => askWith(at, sent, FORM, client);
const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];

async function untilBack(): Promise<void> {
  for (const at of [one, two]) {
    await expect.poll(async () => (await ask(at, await proof())).status).not.toBe(503);
  }
}

describe('two replicas on one Postgres and one Redis', () => {
  it('[D12 D17] accept on one a nonce that the other gave, and write it nowhere', async () => {
    const nonce = (await ask(one, await proof())).headers.get('dpop-nonce')!;
    expect(nonce).toBe((await ask(two, await proof())).headers.get('dpop-nonce'));
    expect(outcome(await ask(two, await proof({ nonce })))).toEqual([200, 'DPoP']);
    one.clock.advance(60);
    expect(outcome(await ask(one, await proof({ nonce })))).toEqual([200, 'DPoP']);
    one.clock.advance(60);
    expect(outcome(await ask(two, await proof({ nonce })))).toEqual([400, 'use_dpop_nonce']);
  });

  it('[D16] notice that Redis came back empty: used proofs stay refused, a fresh one needs a nonce given since', async () => {
    const used = await proof();
    const nonce = (await ask(one, used)).headers.get('dpop-nonce')!;
    const usedWithNonce = await proof({ nonce });
    expect(outcome(await ask(one, usedWithNonce))).toEqual([200, 'DPoP']);
    await redis.restart();
    await untilBack();
    expect(outcome(await ask(one, used))).toEqual([400, 'use_dpop_nonce']);
    expect(outcome(await ask(two, usedWithNonce))).toEqual([400, 'use_dpop_nonce']);
    const fresh = await ask(one, await proof());
    expect(outcome(fresh)).toEqual([400, 'use_dpop_nonce']);
    const given = fresh.headers.get('dpop-nonce')!;
    expect(given).not.toBe(nonce);
    expect(outcome(await ask(one, await proof({ nonce: given })))).toEqual([200, 'DPoP']);
    expect(outcome(await ask(two, await proof({ nonce: given })))).toEqual([200, 'DPoP']);
    one.clock.advance(2 * 60 + 5 * 60 - 1);
    for (const at of [one, two]) expect(outcome(await ask(at, await proof()))).toEqual([400, 'use_dpop_nonce']);
    one.clock.advance(2);
    expect(outcome(await ask(two, await proof()))).toEqual([200, 'DPoP']);
  });
});

describe('a Redis that forgot everything without a restart', () => {
  it('[D16] is noticed by the first proof: used ones stay refused, the answer gives the nonce that a fresh one needs', async () => {
    one.clock.advance(600);
    const used = await proof();
    const nonce = (await ask(one, used)).headers.get('dpop-nonce')!;
    const usedWithNonce = await proof({ nonce });
    expect(outcome(await ask(two, usedWithNonce))).toEqual([200, 'DPoP']);
    await redis.operate((operator) => operator.flushall());
    const told = await ask(two, usedWithNonce);
    expect(outcome(told)).toEqual([400, 'use_dpop_nonce']);
    expect(outcome(await ask(one, used))).toEqual([400, 'use_dpop_nonce']);
    const given = told.headers.get('dpop-nonce')!;
    expect(given).not.toBe(nonce);
    expect(outcome(await ask(one, await proof({ nonce: given })))).toEqual([200, 'DPoP']);
    expect(outcome(await ask(two, await proof({ nonce: given })))).toEqual([200, 'DPoP']);
    one.clock.advance(2 * 60 + 5 * 60 + 1);
    expect(outcome(await ask(one, await proof()))).toEqual([200, 'DPoP']);
  });

  it('[D16] that a replica noticed whose clock is five minutes behind: one that starts then takes no used proof', async () => {
    one.clock.advance(600);
    const behind = new SettableClock();
    behind.advance((one.clock.now().getTime() - behind.now().getTime()) / 1000 - 295);
    const slow = await startTestApp({ beside: one, clock: behind, redisUrl: redis.url, settings });
    const used = await proof();
    expect(outcome(await ask(one, used))).toEqual([200, 'DPoP']);
    await redis.operate((operator) => operator.flushall());
    expect(outcome(await ask(slow, await aProof(slow, key)))).toEqual([400, 'use_dpop_nonce']);
    const late = await startTestApp({ beside: one, clock: one.clock, redisUrl: redis.url, settings });
    expect(outcome(await ask(late, used))).toEqual([400, 'use_dpop_nonce']);
    await late.close();
    await slow.close();
  });
});

describe('two primaries that live at the same time', () => {
  it('[D16] never stop to need a nonce: what one accepts, the other does not know', async () => {
    const promoted = await startRedis();
    const three = await startTestApp({ beside: one, clock: one.clock, redisUrl: promoted.url, settings });
    one.clock.advance(6); // neither goes by what it knew before the other was there
    await ask(one, await proof());
    await ask(three, await proof());
    for (let hour = 1; hour <= 3; hour++) {
      one.clock.advance(3_600);
      const sent = await proof();
      for (const at of [one, three]) expect(outcome(await ask(at, sent))).toEqual([400, 'use_dpop_nonce']);
    }
    await three.close();
    await promoted.stop();
  });
});

describe('a Redis that does not tell its run_id', () => {
  it('[D16 D17] counts, and nothing is left to its memory: proofs are used once and nonces known on every replica', async () => {
    const hiding = await startRedis();
    const redisUrl = await hiding.guestWithout('info');
    const here = await startTestApp({ redisUrl, settings });
    const there = await startTestApp({ beside: here, clock: here.clock, redisUrl, settings });
    const own = await aConfidentialClient(here, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
    const sent = (claims = {}): Promise<string> => aProof(here, key, claims);
    const asked = (at: TestApp, proofSent: string): Promise<TokenResponse> => askWith(at, proofSent, FORM, own);

    const used = await sent();
    const first = await asked(here, used);
    expect(outcome(first)).toEqual([200, 'DPoP']);
    expect((await asked(there, used)).body.error_description).toBe('jti already used');
    const nonce = first.headers.get('dpop-nonce')!;
    const usedWithNonce = await sent({ nonce });
    expect(outcome(await asked(there, usedWithNonce))).toEqual([200, 'DPoP']);

    await hiding.restart();
    await hiding.guestWithout('info');
    const late = await startTestApp({ beside: here, clock: here.clock, redisUrl, settings });
    for (const at of [here, there, late]) {
      await expect.poll(async () => (await asked(at, await sent())).status).toBe(200);
      for (const again of [used, usedWithNonce])
        expect((await asked(at, again)).body.error_description).toBe('jti already used');
      expect(outcome(await asked(at, await sent({ nonce })))).toEqual([200, 'DPoP']);
    }
    const told = [here, there, late]
      .flatMap(({ logged }) => logged)
      .filter((line) => line.includes('does not tell its run_id'));
    expect(told).toHaveLength(1);
    await late.close();
    await there.close();
    await here.close();
    await hiding.stop();
  });
});

describe('one replica without Redis', () => {
  it('[D16] forgets no proof when it starts again', async () => {
    const first = await startTestApp({ settings });
    const own = await aConfidentialClient(first, {
      grant_types: ['client_credentials'],
      redirect_uris: [],
      scope: 'a',
    });
    const sent = await aProof(first, key);
    expect((await askWith(first, sent, FORM, own)).status).toBe(200);
    const next = await startTestApp({ beside: first, clock: first.clock, settings });
    expect((await askWith(next, sent, FORM, own)).body.error_description).toBe('jti already used');
    const nonce = (await askWith(first, await aProof(first, key), FORM, own)).headers.get('dpop-nonce')!;
    expect((await askWith(next, await aProof(first, key, { nonce }), FORM, own)).status).toBe(200);
    await next.close();
    await first.close();
  });
});
