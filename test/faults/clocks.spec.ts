import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SettableClock, startTestApp, type TestApp } from '../app.js';
import {
  aConfidentialClient,
  aFlow,
  aGrantedCode,
  introspect,
  postForm,
  redeem,
  refresh,
  tokensOf,
  type ClientFixture,
  type Flow,
  type TokenResponse,
} from '../builders.js';
import { aKey, aProof, askWith, type ProofKey } from '../dpop.js';
import { until } from '../until.js';

const MACHINE_FORM = { grant_type: 'client_credentials' };
const settings = { CLIENT_CREDENTIALS_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false' };

/** The one answers only, so that the other does all the jobs. */
let right: TestApp;
let other: TestApp;
let key: ProofKey;
let machine: ClientFixture;
let flow: Flow;

async function start(offSeconds: number): Promise<void> {
  right = await startTestApp({ settings: { ...settings, SERVER_ROLE: 'server' } });
  const clock = new SettableClock();
  clock.advance(offSeconds);
  other = await startTestApp({ beside: right, clock, settings });
  key = await aKey();
  machine = await aConfidentialClient(right, { grant_types: ['client_credentials'], redirect_uris: [], scope: 'a' });
  flow = await aFlow(right, { token_endpoint_auth_method: 'client_secret_basic' });
}
async function stop(): Promise<void> {
  await other.close();
  await right.close();
}

const both = (): TestApp[] => [right, other];
const at = <T extends object>(app: TestApp, granted: T): T & { app: TestApp } => ({ ...granted, app });
const proofOf = (app: TestApp, claims: Record<string, unknown> = {}): Promise<string> => aProof(app, key, claims);
const asMachine = (app: TestApp, sent?: string): Promise<TokenResponse> => askWith(app, sent, MACHINE_FORM, machine);
const outcome = ({ status, body }: TokenResponse) => [status, body.error ?? body.token_type];
const isActive = async (app: TestApp, token: string, caller = flow.client): Promise<boolean> =>
  (await introspect(app, token, caller)).active;

const active = (app: TestApp, { access_token }: { access_token: string }): Promise<boolean> =>
  isActive(app, access_token, machine);

/** What has expired is deleted, by the clock of the other. */
async function sweep(): Promise<void> {
  const { body } = await other.admin('POST', '/admin/jobs', { name: 'expiry-sweep' });
  const state = async () => (await other.admin('GET', `/admin/jobs/${body.id}`)).body.state as string;
  await until('the sweep is done', state, 'completed');
}

describe.each([
  ['ahead', 120],
  ['behind', -120],
])('two replicas, the clock of one of them two minutes %s', (_, offSeconds) => {
  beforeAll(() => start(offSeconds));
  afterAll(stop);

  it('honour the tokens, codes and families of each other', async () => {
    const redeemed = await redeem(at(other, await aGrantedCode(flow)));
    expect(redeemed.status).toBe(200);
    const turned = await refresh(at(right, flow), redeemed.body.refresh_token);
    expect(turned.status).toBe(200);
    const back = await refresh(at(other, flow), turned.body.refresh_token);
    expect(back.status).toBe(200);
    for (const app of both())
      for (const { body } of [redeemed, turned, back]) expect(await isActive(app, body.access_token)).toBe(true);
  });

  it('redeem a code once, and end its family when the other is shown it again', async () => {
    for (const [first, second] of [both(), both().toReversed()] as [TestApp, TestApp][]) {
      const code = await aGrantedCode(flow);
      const { body } = await redeem(at(first, code));
      expect((await redeem(at(second, code))).body.error).toBe('invalid_grant');
      for (const app of both()) expect(await isActive(app, body.access_token)).toBe(false);
    }
  });

  it('repeat a lost answer where the clock is behind; where it is ahead the window has passed, and the family ends', async () => {
    const lost = async (first: TestApp, second: TestApp): Promise<unknown[]> => {
      const { tokens } = await tokensOf(flow);
      expect((await refresh(at(first, flow), tokens.refresh_token)).status).toBe(200);
      const { status, body } = await refresh(at(second, flow), tokens.refresh_token);
      return [status, body.error];
    };
    const [fast, slow] = offSeconds > 0 ? [other, right] : [right, other];
    expect(await lost(fast, slow)).toEqual([200, undefined]);
    expect(await lost(slow, fast)).toEqual([400, 'invalid_grant']);
  });

  it('[D12] accept a proof only by a clock like their own, and never a second time', async () => {
    const [mine, theirs] = [await proofOf(right), await proofOf(other)];
    expect(outcome(await asMachine(right, mine))).toEqual([200, 'DPoP']);
    expect(outcome(await asMachine(other, mine))).toEqual([400, 'invalid_dpop_proof']);
    expect(outcome(await asMachine(other, theirs))).toEqual([200, 'DPoP']);
    expect(outcome(await asMachine(right, theirs))).toEqual([400, 'invalid_dpop_proof']);
    // The moment of the proof comes on the clock that is behind, when it is over on the other, and swept perhaps.
    for (const app of both()) app.clock.advance(120);
    await sweep();
    const [late, again] = offSeconds > 0 ? [right, theirs] : [other, mine];
    const { body } = await asMachine(late, again);
    expect([body.error, body.error_description]).toEqual(['invalid_dpop_proof', 'jti already used']);
  });

  it('[D17] ask for a nonce of their own where they do not know the slot of the other', async () => {
    const nonce = (await asMachine(right, await proofOf(right))).headers.get('dpop-nonce')!;
    expect(outcome(await asMachine(right, await proofOf(right, { nonce })))).toEqual([200, 'DPoP']);
    const refused = await asMachine(other, await proofOf(other, { nonce }));
    expect(outcome(refused)).toEqual([400, 'use_dpop_nonce']);
    const given = refused.headers.get('dpop-nonce')!;
    expect(outcome(await asMachine(other, await proofOf(other, { nonce: given })))).toEqual([200, 'DPoP']);
  });

  it('may sign with different keys for a while, and both take both', async () => {
    const before = await asMachine(right);
    expect((await other.admin('POST', '/admin/keys/rotate')).status).toBeLessThan(300);
    const issued = [before, await asMachine(right), await asMachine(other)];
    const seen = issued.map(async ({ body }) => [await active(right, body), await active(other, body)]);
    expect(await Promise.all(seen)).toEqual([
      [true, true],
      [true, true],
      [true, true],
    ]);
  });

  it('know at once what the other revoked', async () => {
    for (const [revoking, asked] of [both(), both().toReversed()] as [TestApp, TestApp][]) {
      const { tokens } = await tokensOf(flow);
      expect((await postForm(revoking, '/oauth/revoke', { token: tokens.refresh_token }, flow.client)).status).toBe(
        200,
      );
      expect(await isActive(asked, tokens.access_token)).toBe(false);
      expect((await refresh(at(asked, flow), tokens.refresh_token)).body.error).toBe('invalid_grant');
    }
  });
});

describe('a clock that jumps by five minutes', () => {
  beforeEach(async () => {
    await start(0);
    return stop;
  });

  it('[D12] forward deletes nothing that lives by the others, and what was used there stays used', async () => {
    const { tokens } = await tokensOf(flow);
    const code = await aGrantedCode(flow);
    const used = await proofOf(right);
    expect(outcome(await asMachine(right, used))).toEqual([200, 'DPoP']);
    other.clock.advance(300);
    await sweep();
    expect(outcome(await asMachine(right, used))).toEqual([400, 'invalid_dpop_proof']);
    for (const app of both()) expect(await isActive(app, tokens.access_token)).toBe(true);
    expect((await redeem(at(other, code))).status).toBe(200);
    expect((await refresh(at(other, flow), tokens.refresh_token)).status).toBe(200);
  });

  it('[D12] back revives nothing: proofs stay used and codes spent, and what was issued before is honoured', async () => {
    const used = await proofOf(right);
    expect(outcome(await asMachine(right, used))).toEqual([200, 'DPoP']);
    const code = await aGrantedCode(flow);
    const { tokens } = await tokensOf(flow);
    // Time passes, the proof is long over, and then its moment comes again.
    for (const app of both()) app.clock.advance(290);
    await sweep();
    const later = await tokensOf(flow);
    for (const app of both()) app.clock.advance(-300);
    for (const app of both()) expect(outcome(await asMachine(app, used))).toEqual([400, 'invalid_dpop_proof']);
    for (const token of [tokens.access_token, later.tokens.access_token])
      expect(await isActive(right, token)).toBe(true);
    expect((await redeem(code)).status).toBe(200);
    expect((await redeem(code)).body.error).toBe('invalid_grant');
    expect((await refresh(flow, later.tokens.refresh_token)).status).toBe(200);
  });
});
