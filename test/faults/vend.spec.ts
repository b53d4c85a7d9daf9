import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TestApp } from '../app.js';
import { audited, postForm, type ResourceFixture, type TokenResponse } from '../builders.js';
import {
  aBrokerResource,
  aProvider,
  aVending,
  aWorld,
  credentialOf,
  letUse,
  reseal,
  startBrokerApp,
  stateOf,
  type Vending,
  type World,
} from '../brokering.js';
import { anAgent, exchange, outcome, started } from '../exchanges.js';
import { untilBlocked } from '../held-lock.js';
import type { Misbehaviour } from '../upstream/misbehaving-proxy.js';

let world: World;
let app: TestApp;
beforeAll(async () => {
  world = await aWorld();
  app = await startBrokerApp(world);
});
beforeEach(() => world.proxy.always());
afterAll(async () => {
  await app.close();
  await world.end();
});

const asked = async (): Promise<number> => (await world.upstream.requests()).refresh_token;
const answer = (status: number, error: string, headers = {}): Misbehaviour => ({
  kind: 'answer',
  status,
  headers,
  body: JSON.stringify({ error, error_description: 'upstream says 7f3a' }),
});

function expectAway({ status, body, headers }: TokenResponse, retryAfter: number): void {
  expect([status, body.error, body.error_description]).toEqual([503, 'temporarily_unavailable', 'try again']);
  expect(Number(headers.get('retry-after'))).toBe(retryAfter);
  expect(JSON.stringify(body)).not.toContain('7f3a');
}

describe('an upstream that is away does not cost the connection', () => {
  const cases: [what: string, behaviour: Misbehaviour, why: string, retryAfter: number, outcomeKnown: boolean][] = [
    ['asks to be left alone', answer(429, 'slow_down', { 'retry-after': '7' }), 'rate_limited', 7, true],
    [
      'asks to be left alone for a year',
      answer(429, 'slow_down', { 'retry-after': '31536000' }),
      'rate_limited',
      300,
      true,
    ],
    ['has broken', answer(500, 'oops'), 'server_error', 5, false],
    ['is being repaired', answer(503, 'later', { 'retry-after': '30' }), 'server_error', 30, false],
    ['hangs up before it has heard', { kind: 'drop_before' }, 'unreachable', 5, false],
  ];

  it.each(cases)('when it %s', async (_, behaviour, why, retryAfter, outcomeKnown) => {
    const { ask, connection } = await aVending(app, world);
    world.proxy.always(behaviour);
    expectAway(await ask(), retryAfter);
    expect(await stateOf(app, connection)).toMatchObject({
      status: 'active',
      version: 1,
      last_failure: why,
      failing_since: expect.any(Date),
      mark: outcomeKnown ? null : 1,
    });

    // Until then it is left alone; then it is asked, and all is well.
    const before = world.proxy.seen.length;
    world.proxy.always();
    expectAway(await ask(), retryAfter);
    app.clock.advance(retryAfter - 1);
    expectAway(await ask(), 1);
    expect(world.proxy.seen.length).toBe(before);
    app.clock.advance(1);
    expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
    expect(await stateOf(app, connection)).toMatchObject({
      status: 'active',
      version: 2,
      failing_since: null,
      last_failure: null,
      retry_at: null,
      mark: null,
    });
  });

  it('when a token is kept: it is vended as long as it lives', async () => {
    const { ask } = await aVending(app, world);
    const first = await ask();
    world.proxy.always(answer(500, 'oops'));
    expect((await ask()).body.access_token).toBe(first.body.access_token);
    app.clock.advance(541);
    expectAway(await ask(), 5);
  });

  it('longer and longer, up to a minute, as long as it stays away', async () => {
    const { ask } = await aVending(app, world);
    world.proxy.always(answer(500, 'oops'));
    const waits: number[] = [];
    for (let n = 0; n < 7; n += 1) {
      await ask();
      const { headers } = await ask();
      waits.push(Number(headers.get('retry-after')));
      app.clock.advance(waits.at(-1)!);
    }
    expect(waits).toEqual([5, 5, 10, 20, 40, 60, 60]);
  });

  it('when it refuses this server, which is the operator’s to mend', async () => {
    for (const [status, code] of [
      [401, 'invalid_client'],
      [400, 'unauthorized_client'],
      [400, 'invalid_scope'],
    ] as const) {
      const { ask, connection } = await aVending(app, world);
      world.proxy.next(answer(status, code));
      const { status: told, body } = await ask();
      expect([told, body.error]).toEqual([503, 'temporarily_unavailable']);
      expect(app.logged.some((line) => line.includes('upstream_misconfigured') && line.includes(connection.id))).toBe(
        true,
      );
      expect(await stateOf(app, connection)).toMatchObject({
        status: 'active',
        version: 1,
        last_failure: `misconfigured: ${code}`,
        mark: null,
      });
    }
  });

  it('when it sends elsewhere: it is asked again in a minute, say the first answer and those after it', async () => {
    const { ask } = await aVending(app, world);
    world.proxy.next({ kind: 'answer', status: 307, headers: { location: 'http://127.0.0.1:1/' } });
    const before = world.proxy.seen.length;
    for (let n = 0; n < 3; n += 1) expect((await ask()).headers.get('retry-after')).toBe('60');
    expect(world.proxy.seen.length).toBe(before + 1);
    app.clock.advance(60);
    expect((await ask()).status).toBe(200);
  });
});

describe('an upstream that takes longer than whoever asks is kept waiting', () => {
  /** Somebody asks, and upstream has rotated the credential, before the answer is held back. */
  async function aSlowRefresh(behaviour: (until: Promise<void>) => Misbehaviour) {
    const vending = await aVending(app, world);
    let release = (): void => {};
    const until = new Promise<void>((resolve) => (release = resolve));
    world.proxy.next(behaviour(until));
    const before = await asked();
    const asking = vending.ask();
    while ((await asked()) === before);
    return { ...vending, asking, release, before };
  }

  it('gives its answer to whoever comes back: it was told to after five seconds, and nobody has to connect again', async () => {
    const { asking, ask, release, before, connection } = await aSlowRefresh((until) => ({ kind: 'hold', until }));
    expectAway(await asking, 1);
    expect(await stateOf(app, connection)).toMatchObject({
      status: 'active',
      version: 1,
      mark: 1,
      failing_since: null,
    });
    const again = ask();
    release();
    const { status, body } = await again;
    expect([status, (await world.upstream.me(body.access_token)).status]).toEqual([200, 200]);
    expect(await asked()).toBe(before + 1);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', version: 2, mark: null, kept: true });
    app.clock.advance(541);
    expect((await ask()).status).toBe(200);
  });

  it('and hangs up then has its failure on record, although nobody waits for it any more', async () => {
    const { asking, release, connection, ask } = await aSlowRefresh((until) => ({ kind: 'drop_after', until }));
    expectAway(await asking, 1);
    release();
    const lastFailure = async () => (await stateOf(app, connection)).last_failure;
    await expect.poll(lastFailure, { timeout: 15_000 }).toBe('unreachable');
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', version: 1, mark: 1 });
    app.clock.advance(5);
    expect(outcome(await ask())).toEqual([400, 'consent_required']);
  });

  it('does not keep a person from disconnecting: what it gave is revoked, too', async () => {
    const { asking, release, connection } = await aSlowRefresh((until) => ({ kind: 'hold', until }));
    expectAway(await asking, 1);
    const ending = app.admin('DELETE', `/admin/grants/broker/${connection.id}`);
    await untilBlocked(app.sql, 'update connections set status');
    release();
    expect((await ending).status).toBe(204);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'disconnected', version: 3, mark: null });
  });
});

describe('a credential that upstream has ended', () => {
  async function expectEnded({ ask, connection }: Vending, reason: string): Promise<void> {
    const before = [await asked(), world.proxy.seen.length];
    for (let n = 0; n < 3; n += 1) {
      const { status, body } = await ask();
      expect([status, body.error, body.cause]).toEqual([400, 'consent_required', 'consent_missing']);
      expect(body.error_description).toBe('connect your Acme account to continue');
      expect(body.consent_url).toContain('/connect/acme-');
    }
    expect([await asked(), world.proxy.seen.length]).toEqual(before);
    expect(await stateOf(app, connection)).toMatchObject({
      status: 'reconnect_required',
      status_reason: reason,
      kept: false,
      mark: null,
    });
  }

  it('asks the person to connect again, and costs upstream no further question', async () => {
    const vending = await aVending(app, world);
    await fetch(`${world.upstream.origin}/token/revocation`, {
      method: 'POST',
      headers: {
        authorization: `Basic ${Buffer.from(`${world.client.clientId}:${world.client.clientSecret}`).toString('base64')}`,
      },
      body: new URLSearchParams({ token: vending.connection.refreshToken, token_type_hint: 'refresh_token' }),
    });
    const before = await asked();
    expect(outcome(await vending.ask())).toEqual([400, 'consent_required']);
    expect(await asked()).toBe(before + 1);
    await expectEnded(vending, 'upstream_refused');
    expect((await audited(app, 'connection.reconnect_required'))[0]).toMatchObject({
      reason: 'upstream_refused',
      actor_id: vending.at.user.id,
      detail: { connection: vending.connection.id, upstream_error: 'invalid_grant' },
    });
    expect((await audited(app, 'token.exchange_denied'))[0]).toMatchObject({ reason: 'upstream_refused' });
  });

  it('because its successor was lost on the way is told from one that was withdrawn', async () => {
    for (const behaviour of [{ kind: 'drop_after' }, { kind: 'truncate' }] as const) {
      const vending = await aVending(app, world);
      world.proxy.next(behaviour);
      expectAway(await vending.ask(), 5);
      app.clock.advance(5);
      expect(outcome(await vending.ask())).toEqual([400, 'consent_required']);
      await expectEnded(vending, 'refresh_outcome_lost');
    }
  });

  it('is told as lost when it came with a token that cannot be handed on', async () => {
    const vending = await aVending(app, world);
    world.proxy.next({ kind: 'change', members: { token_type: 'DPoP' } });
    expect((await vending.ask()).status).toBe(503);
    expect(await stateOf(app, vending.connection)).toMatchObject({
      mark: 1,
      last_failure: 'misconfigured: token_type_not_bearer',
    });
    app.clock.advance(60);
    expect(outcome(await vending.ask())).toEqual([400, 'consent_required']);
    await expectEnded(vending, 'refresh_outcome_lost');
  });

  it('is told as lost also when upstream asked for patience in between', async () => {
    const vending = await aVending(app, world);
    world.proxy.next({ kind: 'drop_after' }, answer(429, 'slow_down', { 'retry-after': '3' }));
    await vending.ask();
    app.clock.advance(5);
    expectAway(await vending.ask(), 3);
    app.clock.advance(3);
    await vending.ask();
    await expectEnded(vending, 'refresh_outcome_lost');
  });
});

describe('a refresh that comes back with less', () => {
  it('asks for more access when what is left is too little, and vends what is left', async () => {
    const { ask, connection } = await aVending(app, world);
    world.proxy.next({ kind: 'change', members: { scope: 'repo:read' } });
    const { status, body } = await ask({ scope: 'repo:write' });
    expect([status, body.error, body.cause]).toEqual([400, 'consent_required', 'scope_insufficient']);
    expect(body.error_description).toBe('more access to Acme is needed');
    expect((await audited(app, 'token.exchange_denied'))[0]).toMatchObject({ reason: 'scope_not_connected' });
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', scopes: ['repo:read'], version: 2 });
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([200, 'repo:read']);
    expect(outcome(await ask())).toEqual([200, 'repo:read']);
  });

  it('never with more than the person allowed', async () => {
    const { ask, connection } = await aVending(app, world);
    world.proxy.next({ kind: 'change', members: { scope: 'repo:read repo:write admin' } });
    expect(outcome(await ask())).toEqual([200, 'repo:read repo:write']);
    expect(await stateOf(app, connection)).toMatchObject({ scopes: ['repo:read', 'repo:write'] });
  });
});

describe('a grant that became smaller upstream', () => {
  it('costs a provider that narrows no connection: more access is asked for, and what is left is vended', async () => {
    const { ask, connection, consent } = await aVending(app, world, {
      granted: ['repo:read'],
      config: { downscope: true },
    });
    const both = `{repo:read,repo:write}`;
    await app.sql('update connections set scopes = $2 where id = $1', [connection.id, both]);
    await app.sql('update connection_consents set scopes = $2 where id = $1', [consent.id, both]);
    const { status, body } = await ask({ scope: 'repo:write' });
    expect([status, body.error, body.cause]).toEqual([400, 'consent_required', 'scope_insufficient']);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', scopes: ['repo:read'], retry_at: null });
    expect(outcome(await ask({ scope: 'repo:read' }))).toEqual([200, 'repo:read']);
  });
});

describe('200 connections of upstreams that hang', { timeout: 120_000 }, () => {
  const PEOPLE = 10;
  const PROVIDERS = 20;

  it('take nothing from other token requests; a single one takes nothing from another provider either', async () => {
    const healthy = await aVending(app, world, { config: { token_url: `${world.upstream.origin}/token` } });
    const { source, server, at } = healthy;
    const machine = await anAgent(app, { scope: 'repo:read' });
    const people = [at.user];
    const tokens = [at.token];
    while (people.length < PEOPLE) {
      const other = await started(app, { client: at.client, resource: source, scope: 'repo:read repo:write' });
      people.push(other.user);
      tokens.push(other.token);
    }
    const targets: ResourceFixture[] = [];
    while (targets.length < PROVIDERS) {
      const provider = await aProvider(app, world);
      targets.push(await aBrokerResource(app, provider));
      for (const { id: userId } of people) {
        const id = randomUUID();
        const scopes = ['repo:read', 'repo:write'];
        await app.sql(
          `insert into connections (id, user_id, provider_id, scopes, created_at, updated_at) values ($1, $2, $3, $4, now(), now())`,
          [id, userId, provider.id, scopes],
        );
        await reseal(app, { id, userId, providerId: provider.id }, { refreshToken: `of ${id}` });
        await letUse(app, { userId, provider }, source);
      }
    }
    const asOne = (target: ResourceFixture, token: string) => exchange(app, server, token, { resource: target.uri });

    let release = (): void => {};
    const until = new Promise<void>((resolve) => (release = resolve));
    world.proxy.always({ kind: 'hold', until, when: 'before' });
    const ofOne = tokens.map((token) => asOne(targets[0]!, token));
    await world.proxy.arrived(world.proxy.seen.length + 6);
    // A token that is not kept yet, and needs a refresh.
    expect(outcome(await healthy.ask())).toEqual([200, 'repo:read repo:write']);

    const ofAll = targets.slice(1).flatMap((target) => tokens.map((token) => asOne(target, token)));
    expect(ofOne.length + ofAll.length).toBe(200);
    await world.proxy.arrived(world.proxy.seen.length + 2);
    const plain = { grant_type: 'client_credentials', resource: source.uri };
    for (let round = 0; round < 5; round += 1) {
      const answers = await Promise.all([
        ...Array.from({ length: 10 }, () => postForm(app, '/oauth/token', plain, machine)),
        ...Array.from({ length: 10 }, () => healthy.ask()),
      ]);
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 20 }, () => 200));
    }
    const answers = await Promise.all([...ofOne, ...ofAll]);
    expect([...new Set(answers.map(({ status, body }) => `${status} ${body.error}`))]).toEqual([
      '503 temporarily_unavailable',
    ]);
    expect(app.logged.some((line) => line.includes('waited_too_long'))).toBe(true);
    expect(
      await app.sql(`select status, count(*)::int as n from connections where status <> 'active' and id in (
      select connection_id from refresh_attempts) group by status`),
    ).toEqual([]);
    release();
  });
});

describe('a database that loses the transaction while upstream answers', () => {
  it('gets the new credential all the same', async () => {
    const { ask, connection } = await aVending(app, world);
    let release = (): void => {};
    world.proxy.next({ kind: 'hold', until: new Promise<void>((resolve) => (release = resolve)) });
    const before = await asked();
    const asking = ask();
    while ((await asked()) === before);
    // The oldest: background work may be between two statements of its own.
    const ended = await app.sql(`select pg_terminate_backend(pid) from (select pid from pg_stat_activity
      where datname = current_database() and state = 'idle in transaction' order by xact_start limit 1) oldest`);
    expect(ended.length).toBe(1);
    release();
    const { status, body } = await asking;
    expect(status).toBe(200);
    expect((await world.upstream.me(body.access_token)).status).toBe(200);
    expect(await stateOf(app, connection)).toMatchObject({ status: 'active', version: 2, mark: null });
    expect((await credentialOf(app, connection.id)).refreshToken).not.toBe(connection.refreshToken);
    app.clock.advance(541);
    expect((await ask()).status).toBe(200);
  });
});
