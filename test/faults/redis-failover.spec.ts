import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, RunningClock, type TestApp } from '../app.js';
import { aConfidentialClient, type ClientFixture, type TokenResponse } from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { startRedisCluster, type RedisCluster } from '../redis-cluster.js';
import { startSentinelTrio, type SentinelTrio } from '../redis-sentinel.js';
import { until } from '../until.js';

const MACHINE_FORM = { grant_type: 'client_credentials' };

let app: TestApp;
let key: ProofKey;
let machine: ClientFixture;

async function start(settings: Record<string, string>): Promise<void> {
  app = await startTestApp({
    settings: { CLIENT_CREDENTIALS_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false', ...settings },
    clock: new RunningClock(),
  });
  key = await aKey();
  machine = await aConfidentialClient(app, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
}

const proof = (claims: Record<string, unknown> = {}): Promise<string> => aProof(app, key, claims);
const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];
const asMachine = (sent?: string): Promise<TokenResponse> => askWith(app, sent, MACHINE_FORM, machine);

/**
 * Every answer until one has no 503, and how long that took.
 *
 * @param decided whether those who elect have done so: they may need several turns, and our own time begins then
 */
async function untilBack(
  decided: () => Promise<boolean> = () => Promise.resolve(true),
): Promise<{ answers: unknown[][]; millis: number }> {
  const answers: unknown[][] = [];
  let began: number | undefined;
  for (;;) {
    const answer = await asMachine(await proof());
    answers.push(outcome(answer));
    if (began === undefined && (await decided())) began = performance.now();
    const millis = Math.round(performance.now() - (began ?? performance.now()));
    if (answer.status !== 503 || millis > 20_000) return { answers, millis };
    await pause(20); // those who elect need the processor, too
  }
}

/** A proof that was used before is refused, in whatever words; a fresh one passes with a nonce given since, and once. */
async function expectNothingForgotten(used: readonly string[], former: string): Promise<void> {
  for (const sent of [...used, await proof({ nonce: former }), await proof()])
    expect(outcome(await asMachine(sent))).toEqual([400, 'use_dpop_nonce']);
  const given = (await asMachine(await proof())).headers.get('dpop-nonce')!;
  expect(given).not.toBe(former);
  const fresh = await proof({ nonce: given });
  expect(outcome(await asMachine(fresh))).toEqual([200, 'DPoP']);
  expect(outcome(await asMachine(fresh))).toEqual([400, 'invalid_dpop_proof']);
}

/** Jobs lie there as well. */
async function expectJobsRun(): Promise<void> {
  const run = async () =>
    (await app.admin('POST', '/admin/jobs', { name: 'expiry-sweep' })).body.id as string | undefined;
  const id = await until('a job is taken', run, (answer) => answer !== undefined);
  const state = async () => (await app.admin('GET', `/admin/jobs/${id}`)).body.state as string;
  await until('the job is done', state, 'completed');
}

/** What both of them know; the replica is cut off only then. */
const remember = async (): Promise<void> => expect(outcome(await asMachine(await proof()))).toEqual([200, 'DPoP']);

async function useTwoProofs(): Promise<{ used: string[]; nonce: string }> {
  const nonce = (await asMachine(await proof())).headers.get('dpop-nonce')!;
  const used = [await proof(), await proof({ nonce })];
  for (const sent of used) expect(outcome(await asMachine(sent))).toEqual([200, 'DPoP']);
  for (const sent of used) expect(outcome(await asMachine(sent))).toEqual([400, 'invalid_dpop_proof']);
  return { used, nonce };
}

describe('a Redis that sentinels watch', () => {
  let trio: SentinelTrio;
  beforeEach(async () => {
    trio = await startSentinelTrio();
    await start({ REDIS_SENTINELS: trio.sentinels, REDIS_SENTINEL_NAME: trio.name });
  });
  afterEach(async () => {
    await app.close();
    await trio.stop();
  });

  it.each([
    ['dies', (at: Awaited<ReturnType<SentinelTrio['primary']>>) => at.kill()],
    ['is frozen', async (at: Awaited<ReturnType<SentinelTrio['primary']>>) => at.freeze()],
  ])('[D12 D16] and that %s is followed to its replica, which may have missed used proofs', async (_, fail) => {
    const primary = await trio.primary();
    await remember();
    await trio.isolateReplica();
    const { used, nonce } = await useTwoProofs();
    await fail(primary);
    expect(outcome(await asMachine())).toEqual([200, 'Bearer']);
    const back = await untilBack(async () => (await trio.primary()) !== primary);
    const before = back.answers.slice(0, -1).map(String);
    expect(before.filter((answer) => answer !== '503,temporarily_unavailable')).toEqual([]);
    expect(back.answers.at(-1)).toEqual([400, 'use_dpop_nonce']);
    expect(back.millis).toBeLessThan(20_000);
    await trio.untilSucceeded(primary); // whichever sentinel told us was the first to know
    await expectNothingForgotten(used, nonce);
    await expectJobsRun();
  });
});

describe('a Redis Cluster', () => {
  let cluster: RedisCluster;
  beforeEach(async () => {
    cluster = await startRedisCluster();
    await start({ REDIS_CLUSTER_NODES: cluster.nodes });
  });
  afterEach(async () => {
    await app.close();
    await cluster.stop();
  });

  it.each([
    ['whose node with our keys dies goes on with its replica', () => cluster.ours.kill()],
    ['may give our keys to another node while every connection lasts', () => cluster.takeOver()],
  ])('[D12 D16] %s, which has the marker but missed used proofs', async (_, fail) => {
    await expectJobsRun();
    await remember();
    await cluster.isolateReplica();
    const { used, nonce } = await useTwoProofs();
    await fail();
    const back = await untilBack();
    expect(back.answers.slice(0, -1).filter((answer) => answer[0] !== 503)).toEqual([]);
    expect(back.answers.at(-1)).toEqual([400, 'use_dpop_nonce']);
    expect(back.millis).toBeLessThan(20_000);
    await cluster.untilSucceeded();
    await expectNothingForgotten(used, nonce);
    await expectJobsRun();
  });
});
