import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aFlow, audited, aUser, postForm, redeem, refresh, tokensOf } from '../builders.js';
import { aReceiver, aSecret, type Received, type Receiver } from '../receiver.js';
import { startRedis, type TestRedis } from '../redis.js';

const SOON = { timeout: 30_000 };

describe.each(['postgres', 'redis'] as const)('with the queue on %s, webhooks', (kind) => {
  let redis: TestRedis | undefined;
  let everything: Receiver;
  let security: Receiver;
  let app: TestApp;
  beforeAll(async () => {
    redis = kind === 'redis' ? await startRedis() : undefined;
    [everything, security] = [await aReceiver(), await aReceiver()];
    app = await startTestApp({
      redisUrl: redis?.url,
      settings: { HOOK_ONE: everything.secret, HOOK_TWO: `${aSecret()} ${security.secret}` },
      yaml: `
webhooks:
  - { name: everything, url: '${everything.url}', secret_env: AUTHPLANE_HOOK_ONE }
  - { name: security, url: '${security.url}', secret_env: AUTHPLANE_HOOK_TWO, events: [family.revoked] }
`,
    });
  });
  afterAll(async () => {
    await app.close();
    await Promise.all([everything.close(), security.close()]);
    await redis?.stop();
  });
  beforeEach(() => everything.answer(204));

  const told = async (receiver: Receiver, type: string, member: string, value: string): Promise<Received> => {
    const found = (): Received | undefined =>
      receiver.taken(type).find(({ message }) => message.data[member] === value);
    await expect.poll(found, SOON).toBeDefined();
    return found()!;
  };
  const disable = async ({ id }: { id: string }): Promise<void> =>
    expect((await app.admin('PATCH', `/admin/users/${id}/disable`)).status).toBe(200);
  const next = async (webhook: string): Promise<any> => {
    const { body } = await app.admin('GET', '/admin/jobs?state=delayed&limit=1000');
    return body.jobs.find(({ data }: any) => data.webhook === webhook);
  };

  it('tell that a family was revoked, why, and whose it was: a token used twice', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const [, family] = [await refresh(flow, tokens.refresh_token), (await familiesOf(flow.user.id))[0]];
    expect((await refresh(flow, tokens.refresh_token)).body.error).toBe('invalid_grant');
    for (const receiver of [everything, security]) {
      const { message, headers } = await told(receiver, 'family.revoked', 'user_id', flow.user.id);
      expect(message.data).toEqual({
        family_id: family.id,
        reason: 'reuse_detection',
        client_id: flow.client.id,
        user_id: flow.user.id,
        resource_id: flow.resource.id,
      });
      expect(headers['webhook-id']).toBe(family.id);
      expect(headers['content-type']).toBe('application/json');
    }
  });

  const familiesOf = (userId: string): Promise<any[]> =>
    app.sql('select id from families where user_id = $1', [userId]);

  it('tell of every other way in which a family ends', async () => {
    const byClient = await tokensOf(await aFlow(app));
    const form = { token: byClient.tokens.refresh_token, client_id: byClient.client.id };
    expect((await postForm(app, '/oauth/revoke', form)).status).toBe(200);
    const byOperator = await tokensOf(await aFlow(app));
    expect((await app.admin('DELETE', `/admin/users/${byOperator.user.id}/tokens`)).status).toBe(200);
    const replayed = await tokensOf(await aFlow(app));
    expect((await redeem(replayed)).body.error).toBe('invalid_grant');
    const reasons = { explicit: byClient, admin: byOperator, code_reuse: replayed };
    for (const [reason, { user }] of Object.entries(reasons))
      expect((await told(security, 'family.revoked', 'user_id', user.id)).message.data.reason).toBe(reason);
  });

  it('tell of clients, people, consents and signing keys, each once and only who asked for it', async () => {
    const [client, gone, user, leaving] = [await aClient(app), await aClient(app), await aUser(app), await aUser(app)];
    await app.admin('PATCH', `/admin/clients/${client.id}/suspend`);
    await told(everything, 'client.suspended', 'client_id', client.id);
    await app.admin('PATCH', `/admin/clients/${client.id}/revoke`);
    await told(everything, 'client.revoked', 'client_id', client.id);
    const deleted = await app.admin('DELETE', `/admin/clients/${gone.id}?force=true`);
    expect(deleted.status).toBe(204);
    await told(everything, 'client.deleted', 'client_id', gone.id);
    await disable(user);
    await told(everything, 'user.disabled', 'user_id', user.id);
    await app.admin('DELETE', `/admin/users/${leaving.id}?force=true`);
    await told(everything, 'user.deleted', 'user_id', leaving.id);

    const flow = await tokensOf(await aFlow(app));
    const [consent] = await app.sql<any>('select id from consents where user_id = $1', [flow.user.id]);
    expect((await app.admin('DELETE', `/admin/grants/consent/${consent.id}`)).status).toBe(204);
    expect((await told(everything, 'consent.revoked', 'consent_id', consent.id)).message.data).toEqual({
      consent_id: consent.id,
      reason: 'consent_withdrawn',
      client_id: flow.client.id,
      user_id: flow.user.id,
      resource_id: flow.resource.id,
    });

    const former = (await app.admin('GET', '/admin/keys')).body.keys.find(({ status }: any) => status === 'active');
    const { kid } = (await app.admin('POST', '/admin/keys/rotate', {})).body;
    await told(everything, 'signing_key.rotated', 'kid', kid);
    await app.admin('DELETE', `/admin/keys/${former.kid}`);
    await told(everything, 'signing_key.revoked', 'kid', former.kid);

    // Whatever would come twice has come.
    const left = async (): Promise<any[]> => [
      ...(await app.sql('select id from outbox')),
      ...(await app.admin('GET', '/admin/jobs?state=waiting,active,delayed')).body.jobs.filter(
        ({ name }: any) => name === 'webhook-delivery',
      ),
    ];
    await expect.poll(left, SOON).toEqual([]);
    const ids = everything.received.map(({ headers }) => headers['webhook-id']);
    expect(new Set(ids).size).toBe(ids.length);
    expect(security.received.every(({ message }) => message.type === 'family.revoked')).toBe(true);
  });

  it('are sent again, the same bytes under the same id, until the receiver takes them', async () => {
    everything.answer(503);
    const user = await aUser(app);
    await disable(user);
    const of = (): Received[] => everything.received.filter(({ message }) => message.data.user_id === user.id);
    await expect.poll(() => of().length, SOON).toBe(1);
    await expect.poll(() => next('everything'), SOON).toMatchObject({ last_error: 'answered 503', attempts: 15 });
    const { webhooks } = (await app.admin('GET', '/admin/webhooks')).body;
    expect(webhooks[0]).toMatchObject({
      name: 'everything',
      url: `${new URL(everything.url).origin}/…`,
      last_error: 'answered 503',
    });
    expect([webhooks[0].waiting, webhooks[1].events]).toEqual([1, ['family.revoked']]);
    everything.answer(200);
    expect((await app.admin('POST', `/admin/jobs/${(await next('everything')).id}/retry`)).status).toBe(202);
    await expect.poll(() => of().length, SOON).toBe(2);
    const [first, second] = of() as [Received, Received];
    expect([second.raw, second.headers['webhook-id']]).toEqual([first.raw, first.headers['webhook-id']]);
    await expect.poll(async () => (await app.admin('GET', '/admin/webhooks')).body.webhooks[0].waiting, SOON).toBe(0);
  });

  it('are given up after the last attempt or when the receiver says that it is gone, which the audit tells', async () => {
    everything.answer(410);
    const user = await aUser(app);
    await disable(user);
    await expect.poll(async () => (await audited(app, 'webhook.given_up')).length, SOON).toBe(1);
    expect((await audited(app, 'webhook.given_up'))[0]).toMatchObject({
      reason: 'gone',
      detail: { webhook: 'everything', type: 'user.disabled', attempts: 1, error: 'answered 410' },
    });
    const [row] = await app.sql<any>('select given_up_at from webhook_deliveries where given_up_at is not null');
    expect(row.given_up_at).not.toBeNull();
  });

  it('are tried by an operator, who is told what the receiver answered', async () => {
    const good = await app.admin('POST', '/admin/webhooks/security/test');
    expect(good).toMatchObject({ status: 200, body: { name: 'security', delivered: true } });
    expect(security.taken('webhook.test')[0]?.headers['webhook-id']).toBe(good.body.id);
    security.answer(500);
    const bad = await app.admin('POST', '/admin/webhooks/security/test');
    expect(bad.body).toMatchObject({ delivered: false, error: 'answered 500' });
    security.answer(204);
    expect((await app.admin('POST', '/admin/webhooks/nobody/test')).status).toBe(404);
    expect((await audited(app, 'webhook.tested')).length).toBe(2);
  });

  it('are told all the same of what a queue lost', async () => {
    everything.answer(503);
    const user = await aUser(app);
    await disable(user);
    const of = (): Received[] => everything.received.filter(({ message }) => message.data.user_id === user.id);
    await expect.poll(() => next('everything'), SOON).toBeDefined();
    const { id } = await next('everything');
    if (redis) await redis.operate(async (operator) => void (await operator.flushall()));
    else await app.sql('delete from bullmq.job where id = $1', [id]);
    expect((await app.admin('GET', `/admin/jobs/${id}`)).status).toBe(404);
    expect(of()).toHaveLength(1);
    everything.answer(204);
    await app.sql(
      `update webhook_deliveries set created_at = created_at - interval '10 minutes' where delivered_at is null`,
    );
    expect((await app.admin('POST', '/admin/jobs', { name: 'overdue-webhooks' })).status).toBe(202);
    await expect.poll(async () => (await app.admin('GET', '/admin/webhooks')).body.webhooks[0].waiting, SOON).toBe(0);
  });

  it('are told of a revocation that a queue lost before it was a message', async () => {
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const [{ id }] = await familiesOf(flow.user.id);
    const form = { token: tokens.refresh_token, client_id: flow.client.id };
    expect((await postForm(app, '/oauth/revoke', form)).status).toBe(200);
    const times = (): number => everything.received.filter(({ headers }) => headers['webhook-id'] === id).length;
    await expect.poll(times, SOON).toBe(1);
    if (redis) await redis.operate(async (operator) => void (await operator.flushall()));
    else await app.sql('delete from bullmq.job where id like $1', [`%${id}%`]);
    await app.sql('delete from webhook_deliveries where id = $1', [id]);
    const untold = async (): Promise<void> =>
      expect((await app.admin('POST', '/admin/jobs', { name: 'untold-revocations' })).status).toBe(202);
    await app.sql(`update revocations set at = at - interval '10 minutes' where id = $1`, [id]);
    await untold();
    await expect.poll(times, SOON).toBe(2);
  });
  it('are all told to a queue that lost them, however many they are', async () => {
    everything.answer(204);
    await app.sql(
      `insert into webhook_deliveries (id, webhook, type, body, created_at)
       select 'lost-' || n, 'everything', 'user.disabled', '{"type":"user.disabled","timestamp":"","data":{}}',
              $1::timestamptz - interval '10 minutes' from generate_series(1, 1100) n`,
      [app.clock.now()],
    );
    await app.admin('POST', '/admin/jobs', { name: 'overdue-webhooks' });
    const lost = async (): Promise<number> =>
      (await app.sql(`select id from webhook_deliveries where id like 'lost-%' and delivered_at is null`)).length;
    await expect.poll(lost, { timeout: 240_000 }).toBe(0);
  }, 250_000);

  it('are given up after a day even where nobody noticed the last attempt', async () => {
    everything.answer(503);
    const user = await aUser(app);
    await disable(user);
    await expect.poll(() => next('everything'), SOON).toBeDefined();
    app.clock.advance(26 * 3600 + 1);
    await app.admin('POST', '/admin/jobs', { name: 'overdue-webhooks' });
    await expect
      .poll(async () => (await audited(app, 'webhook.given_up'))[0], SOON)
      .toMatchObject({ reason: 'attempts_over', detail: { webhook: 'everything', type: 'user.disabled' } });
    expect((await app.admin('GET', '/admin/webhooks')).body.webhooks[0].waiting).toBe(0);
  });
});
