import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aConfidentialClient, audited } from '../builders.js';
import { aReceiver, type Receiver } from '../receiver.js';

const DAY = 24 * 3600;
const SOON = { timeout: 30_000 };

let receiver: Receiver;
let app: TestApp;
let other: TestApp;
beforeAll(async () => {
  receiver = await aReceiver();
  const settings = { HOOK: receiver.secret };
  const yaml = `webhooks: [{ name: ops, url: '${receiver.url}', secret_env: AUTHPLANE_HOOK, events: [secret.expiring] }]`;
  app = await startTestApp({ settings, yaml });
  other = await startTestApp({ settings, yaml, beside: app, clock: app.clock });
});
afterAll(async () => {
  await other.close();
  await app.close();
  await receiver.close();
});

/** Runs the job on whichever replica is free, as often as said, at the same time. */
async function remind(times = 1): Promise<void> {
  const ids = await Promise.all(
    Array.from(
      { length: times },
      async () => (await app.admin('POST', '/admin/jobs', { name: 'secret-reminders' })).body.id,
    ),
  );
  const states = (): Promise<string[]> =>
    Promise.all(ids.map(async (id) => (await app.admin('GET', `/admin/jobs/${id}`)).body.state));
  await expect.poll(async () => [...new Set(await states())], SOON).toEqual(['completed']);
}

const rotated = async (overlap: string): Promise<string> => {
  const { id } = await aConfidentialClient(app);
  expect((await app.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap })).status).toBe(200);
  return id;
};
const remindersOf = async (client: string): Promise<any[]> =>
  (await audited(app, 'client.secret_expiring')).filter(({ client_id }: any) => client_id === client);

describe('whoever runs the server', () => {
  it('is reminded of a secret that will end, once at each threshold, however many replicas look and however often', async () => {
    const id = await rotated('30d');
    const seen = async (): Promise<number[]> =>
      (await remindersOf(id)).map(({ detail }) => detail.days_left).toSorted();
    await remind(6);
    expect(await seen()).toEqual([]);
    app.clock.advance(22 * DAY);
    await remind();
    expect(await seen()).toEqual([]);
    app.clock.advance(DAY);
    await remind(6);
    expect(await seen()).toEqual([7]);
    app.clock.advance(4 * DAY);
    await remind(3);
    expect(await seen()).toEqual([7]);
    app.clock.advance(2 * DAY);
    await remind(6);
    expect(await seen()).toEqual([1, 7]);
    app.clock.advance(DAY + 1);
    await remind();
    expect(await seen()).toEqual([1, 7]);
    const [{ detail }] = await remindersOf(id);
    expect(detail).toMatchObject({ days_left: 1, replaced: true });
    const logged = [...app.logged, ...other.logged].filter((line) => line.includes('a client secret will end'));
    expect(logged.filter((line) => line.includes(id))).toHaveLength(2);
  });

  it('hears of it by webhook', async () => {
    await expect
      .poll(async () => (await app.sql(`select from webhook_deliveries where type = 'secret.expiring'`)).length)
      .toBe(2);
    const [row] = await app.sql<{ body: string }>(`select body from webhook_deliveries order by created_at limit 1`);
    expect(JSON.parse(row!.body)).toMatchObject({
      type: 'secret.expiring',
      data: { kind: 'client_secret', days_left: 7, replaced: true },
    });
  });

  it('is not reminded of what a rotation has just decided, nor of a client that is revoked, nor of a secret without an end', async () => {
    const [brief, revoked, endless] = [await rotated('24h'), await rotated('10d'), await aConfidentialClient(app)];
    expect((await app.admin('PATCH', `/admin/clients/${revoked}/revoke`)).status).toBe(200);
    app.clock.advance(DAY / 2);
    await remind();
    app.clock.advance(4 * DAY);
    await remind();
    for (const id of [brief, revoked, endless.id]) expect(await remindersOf(id)).toEqual([]);
  });

  it.each([
    ['[20d]', 1],
    ['[]', 0],
  ])('may choose when, or not at all: %s', async (before, count) => {
    const chosen = await startTestApp({ yaml: `secret_reminders: { before: ${before} }` });
    const { id } = await aConfidentialClient(chosen);
    await chosen.admin('POST', `/admin/clients/${id}/rotate-secret`, { overlap: '30d' });
    chosen.clock.advance(23 * DAY);
    const job = (await chosen.admin('POST', '/admin/jobs', { name: 'secret-reminders' })).body.id;
    await expect.poll(async () => (await chosen.admin('GET', `/admin/jobs/${job}`)).body.state, SOON).toBe('completed');
    expect(await audited(chosen, 'client.secret_expiring')).toHaveLength(count);
    await chosen.close();
  });
});
