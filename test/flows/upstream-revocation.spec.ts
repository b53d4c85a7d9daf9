import { Redis } from 'ioredis';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TestApp } from '../app.js';
import { aWorld, credentialOf, startBrokerApp, type World } from '../brokering.js';
import { audited } from '../builders.js';
import { aConnecting, connected, connectionsOf, consentsOf, type Connecting } from '../connecting.js';
import type { HttpBrowser } from '../http-browser.js';
import { startRedis, type TestRedis } from '../redis.js';

const AWAY = { kind: 'answer', status: 503 } as const;
const ATTEMPTS = 13;

describe.each(['postgres', 'redis'] as const)('with the queue on %s, an account that is over', (kind) => {
  let redis: TestRedis | undefined;
  let world: World;
  let app: TestApp;
  let at: Connecting;
  let browser: HttpBrowser;
  let connection: any;
  let refreshToken: string;
  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined;
    world = await aWorld();
    app = await startBrokerApp(world, redis ? { REDIS_URL: redis.url } : {});
  });
  afterAll(async () => {
    await app.close();
    await world.end();
    await redis?.stop();
  });
  beforeEach(async () => {
    world.proxy.always();
    at = await aConnecting(app, world, { config: { revocation_url: `${world.proxy.origin}/token/revocation` } });
    ({ browser } = await connected(at));
    [connection] = await connectionsOf(at);
    refreshToken = (await credentialOf(app, connection.id)).refreshToken!;
  });

  /** Whether upstream still gives tokens for it; it rotates, so that this is asked once. */
  async function livesUpstream(token: string): Promise<boolean> {
    const { body } = await app.admin('GET', `/admin/broker-providers/${at.provider.id}`);
    const form = { grant_type: 'refresh_token', refresh_token: token, client_id: body.config_data.client_id };
    return (await fetch(`${world.upstream.origin}/token`, { method: 'POST', body: new URLSearchParams(form) })).ok;
  }

  const disconnect = async (): Promise<void> => {
    const cookie = [...browser.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const headers = { cookie, 'sec-fetch-site': 'same-origin', origin: app.issuer };
    const response = await fetch(`${app.issuer}/connections/${at.provider.slug}`, { method: 'DELETE', headers });
    expect(response.status).toBe(204);
  };

  const jobId = (): string => `upstream-revocation_${connection.id}`;
  const job = async (): Promise<any> => (await app.admin('GET', `/admin/jobs/${jobId()}`)).body;
  const retry = async (): Promise<number> => (await app.admin('POST', `/admin/jobs/${jobId()}/retry`)).status;

  const configure = async (changed: object): Promise<void> => {
    const path = `/admin/broker-providers/${at.provider.id}`;
    const { config_data } = (await app.admin('GET', path)).body;
    expect((await app.admin('PATCH', path, { config_data: { ...config_data, ...changed } })).status).toBe(200);
  };

  /** Does what is done every hour. */
  async function sweep(): Promise<void> {
    const next = async (): Promise<string> =>
      (await app.admin('GET', '/admin/jobs?state=delayed&limit=1000')).body.jobs.find(
        ({ name }: { name: string }) => name === 'overdue-revocations',
      )?.id;
    await vi.waitFor(async () => expect(await next()).toBeDefined(), 30_000);
    const id = await next();
    expect((await app.admin('POST', `/admin/jobs/${encodeURIComponent(id)}/retry`)).status).toBe(202);
    await vi.waitFor(
      async () =>
        expect((await app.admin('GET', `/admin/jobs/${encodeURIComponent(id)}`)).body.state).toBe('completed'),
      30_000,
    );
  }

  /** All that the queue keeps. */
  async function queued(): Promise<unknown[]> {
    if (!redis) return app.sql('select to_jsonb(j) from bullmq.job j');
    const client = new Redis(redis.url);
    const hashes = [];
    for (const key of await client.keys('*'))
      if ((await client.type(key)) === 'hash') hashes.push(await client.hgetall(key));
    client.disconnect();
    return hashes;
  }

  const expectSettled = (outcome: 'done' | 'given_up'): Promise<void> =>
    vi.waitFor(async () => {
      const row = (await connectionsOf(at)).find(({ id }) => id === connection.id);
      expect(row).toMatchObject({ status: 'disconnected', upstream_revocation: outcome, sealed: false });
    }, 30_000);

  it.each([
    ['the person', 'disconnected_by_user', disconnect],
    [
      'the operator',
      'revoked_by_operator',
      async () => expect((await app.admin('DELETE', `/admin/grants/broker/${connection.id}`)).status).toBe(204),
    ],
    [
      'the end of the person’s own account',
      'user_deleted',
      async () => {
        expect((await app.admin('DELETE', `/admin/users/${at.user.id}?force=true`)).status).toBe(204);
        expect(await app.sql('select from users where id = $1', [at.user.id])).toEqual([]);
      },
    ],
  ])('by %s is told upstream, and its credential forgotten', async (_, reason, end) => {
    await end();
    expect(await consentsOf(at)).toEqual([]);
    await expectSettled('done');
    expect((await connectionsOf(at))[0]).toMatchObject({ status_reason: reason, version: 2 });
    expect(await livesUpstream(refreshToken)).toBe(false);
    const [fact] = await audited(app, 'upstream.revoked');
    expect(fact).toMatchObject({ detail: { connection: connection.id, user: at.user.id, provider: at.provider.id } });
  });

  it('is told upstream later when upstream is away, at once when the operator says so', async () => {
    world.proxy.always(AWAY);
    await disconnect();
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'delayed', attempts_made: 1 }), 30_000);
    expect(await job()).toMatchObject({
      name: 'upstream-revocation',
      data: { connection: connection.id },
      attempts: ATTEMPTS,
      last_error: 'upstream is away: server_error',
    });
    const listed = async (state: string): Promise<string[]> =>
      (await app.admin('GET', `/admin/jobs?state=${state}&limit=1000`)).body.jobs.map(({ id }: { id: string }) => id);
    expect(await listed('delayed')).toContain(jobId());
    expect(await listed('failed,completed')).not.toContain(jobId());
    expect((await connectionsOf(at))[0]).toMatchObject({ upstream_revocation: 'pending', sealed: true });
    const inUse = await app.admin('DELETE', `/admin/broker-providers/${at.provider.id}`);
    expect(inUse.status).toBe(409);
    world.proxy.always();
    expect(await retry()).toBe(202);
    await expectSettled('done');
    expect(await livesUpstream(refreshToken)).toBe(false);
    await vi.waitFor(async () => expect(await listed('completed')).toContain(jobId()), 30_000);
  });

  it('is given up after the last attempt, its credential forgotten and the fact on record', async () => {
    world.proxy.always(AWAY);
    const before = world.proxy.seen.length;
    await disconnect();
    for (let made = 1; made < ATTEMPTS; made++) {
      await vi.waitFor(
        async () => expect(await job()).toMatchObject({ state: 'delayed', attempts_made: made }),
        30_000,
      );
      expect(await retry()).toBe(202);
    }
    await expectSettled('given_up');
    expect(world.proxy.seen.length - before).toBe(ATTEMPTS);
    expect((await audited(app, 'upstream.revocation_given_up'))[0]).toMatchObject({
      detail: { connection: connection.id, user: at.user.id },
    });
    expect((await app.admin('GET', '/admin/jobs?state=failed')).body.jobs).toContainEqual(
      expect.objectContaining({ id: jobId(), attempts_made: ATTEMPTS }),
    );
    // There is nothing left to say it with.
    world.proxy.always();
    expect(await retry()).toBe(202);
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'completed' }), 30_000);
    expect(world.proxy.seen.length - before).toBe(ATTEMPTS);
    expect((await connectionsOf(at))[0]).toMatchObject({ upstream_revocation: 'given_up' });
  });

  it('does not take the one along that was connected since', async () => {
    world.proxy.always(AWAY);
    await disconnect();
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'delayed' }), 30_000);
    world.proxy.always();
    await connected(at, { browser });
    const fresh = (await connectionsOf(at)).find(({ status }) => status === 'active');
    const token = (await credentialOf(app, fresh.id)).refreshToken!;
    expect(token).not.toBe(refreshToken);
    expect(await retry()).toBe(202);
    await expectSettled('done');
    expect(await livesUpstream(refreshToken)).toBe(false);
    expect(await livesUpstream(token)).toBe(true);
    expect((await connectionsOf(at)).find(({ id }) => id === fresh.id)).toEqual(fresh);
  });

  it('leaves no credential in what the operator sees of the job, in the queue, the log or the outbox', async () => {
    world.proxy.always({ kind: 'answer', status: 400, body: JSON.stringify({ error: refreshToken }) });
    await disconnect();
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'delayed', attempts_made: 1 }), 30_000);
    const kept = [
      await queued(),
      await app.sql('select * from outbox'),
      await app.sql('select detail from audit_events'),
    ];
    for (const said of [await job(), kept[0], app.logged]) expect(JSON.stringify(said)).toContain(connection.id);
    expect(JSON.stringify([await job(), app.logged, kept])).not.toContain(refreshToken);
  });

  it('keeps what upstream gave in exchange on the way, and is told with that the next time', async () => {
    await configure({ revocation_url: `${world.proxy.origin}/bearer`, revocation_format: 'bearer' });
    world.proxy.next({ kind: 'change', members: {} }, AWAY);
    await disconnect();
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'delayed', attempts_made: 1 }), 30_000);
    expect((await credentialOf(app, connection.id)).refreshToken).not.toBe(refreshToken);
    const { refresh_token: refused } = await world.upstream.refused();
    world.proxy.next({ kind: 'change', members: {} }, { kind: 'answer', status: 200, body: '{}' });
    expect(await retry()).toBe(202);
    await expectSettled('done');
    expect(world.proxy.seen.slice(-2)).toEqual(['POST /token', 'POST /bearer']);
    expect((await world.upstream.refused()).refresh_token).toBe(refused);
  });

  it.each([
    ['token', 'is connected again', 'ada'],
    ['grant', 'is not connected again', undefined],
    ['grant', 'is replaced by another account', 'grace'],
  ])('ends the %s at GitHub when it %s', async (what, _, login) => {
    world.proxy.always(AWAY);
    await disconnect();
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'delayed' }), 30_000);
    world.proxy.always();
    if (login !== undefined) await connected(at, { browser, login });
    await configure({
      revocation_url: `${world.proxy.origin}/app/grant`,
      revocation_format: 'github',
      token_auth_method: 'client_secret_post',
      client_secret: 'planted',
    });
    const body = JSON.stringify({ access_token: 'gho', token_type: 'bearer' });
    world.proxy.next({ kind: 'answer', status: 200, body }, { kind: 'answer', status: 204 });
    expect(await retry()).toBe(202);
    await expectSettled('done');
    expect(world.proxy.seen.at(-1)).toBe(`DELETE /app/${what}`);
  });

  it.each([
    ['done', undefined],
    ['given_up', AWAY],
  ] as const)('and that the queue lost is %s half a day later', async (outcome, behaviour) => {
    const endedAt = app.clock.now();
    await app.sql(
      `update connections set status = 'disconnected', status_reason = 'user_deleted', upstream_revocation = 'pending', ended_at = $2
        where id = $1`,
      [connection.id, endedAt],
    );
    world.proxy.always(behaviour);
    await sweep();
    expect((await connectionsOf(at))[0]).toMatchObject({ upstream_revocation: 'pending', sealed: true });
    app.clock.advance(12 * 3600 + 1);
    await sweep();
    await expectSettled(outcome);
    if (outcome === 'done') expect(await livesUpstream(refreshToken)).toBe(false);
  });

  it('takes no other job, and none twice', async () => {
    for (const id of ['nonsense', `upstream-revocation_${at.user.id}`]) {
      expect((await app.admin('GET', `/admin/jobs/${id}`)).status).toBe(404);
      expect((await app.admin('POST', `/admin/jobs/${id}/retry`)).status).toBe(404);
    }
    for (const wrong of ['state=unknown', 'limit=0', 'limit=1001', 'limit=x'])
      expect((await app.admin('GET', `/admin/jobs?${wrong}`)).status).toBe(400);
    await disconnect();
    await expectSettled('done');
    await vi.waitFor(async () => expect(await job()).toMatchObject({ state: 'completed' }), 30_000);
    expect(await retry()).toBe(409);
  });
});
