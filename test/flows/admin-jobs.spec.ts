import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { startRedis, type TestRedis } from '../redis.js';

let redis: TestRedis;
let app: TestApp;
beforeAll(async () => {
  redis = await startRedis();
  app = await startTestApp({ redisUrl: redis.url });
});
afterAll(async () => {
  await app.close();
  await redis.stop();
});

const run = () => app.admin('POST', '/admin/jobs', { name: 'expiry-sweep' });
const state = async (id: string): Promise<string> => (await app.admin('GET', `/admin/jobs/${id}`)).body.state;
const ids = async (): Promise<string[]> => {
  const { body } = await app.admin('GET', '/admin/jobs?state=waiting,active,delayed,completed,failed&limit=1000');
  return body.jobs.map(({ id }: { id: string }) => id);
};

describe('an operator', () => {
  it('retries no job that is done, and none that does not exist', async () => {
    const { id } = (await run()).body;
    await vi.waitFor(async () => expect(await state(id)).toBe('completed'), 20_000);
    const needless = await app.admin('POST', `/admin/jobs/${id}/retry`);
    expect([needless.status, needless.body.code]).toEqual([409, 'job_needs_no_retry']);
    const unknown = await app.admin('POST', '/admin/jobs/expiry-sweep_nonsense/retry');
    expect([unknown.status, unknown.body.code]).toEqual([404, 'job_not_found']);
  });

  it('hears that the queue is away, and nothing of what was asked meanwhile is done later', async () => {
    await redis.kill();
    for (const ask of [() => app.admin('GET', '/admin/jobs'), run, () => app.admin('GET', '/admin/jobs/any')]) {
      const { status, body } = await ask();
      expect([status, body.code]).toEqual([503, 'temporarily_unavailable']);
      expect(body.type).toMatch(/#try-again$/);
    }
    await redis.start();
    await vi.waitFor(async () => expect(await ids()).toContainEqual(expect.stringMatching(/^repeat:/)), 20_000);
    expect((await ids()).filter((id) => id.startsWith('expiry-sweep_'))).toEqual([]);
    const { id } = (await run()).body;
    await vi.waitFor(async () => expect(await state(id)).toBe('completed'), 20_000);
  });
});
