import { describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';

const stateOf = async (app: TestApp, id: string): Promise<string> =>
  (await app.admin('GET', `/admin/jobs/${id}`)).body.state;

describe('a server that does no jobs', () => {
  it('leaves them to a worker, which answers operators and probes and nobody else', async () => {
    const server = await startTestApp({ settings: { SERVER_ROLE: 'server' } });
    const { status, body } = await server.admin('POST', '/admin/jobs', { name: 'expiry-sweep' });
    expect([status, body.name]).toEqual([202, 'expiry-sweep']);
    const worker = await startTestApp({ beside: server, clock: server.clock, settings: { SERVER_ROLE: 'worker' } });
    await expect.poll(() => stateOf(server, body.id)).toBe('completed');
    expect(worker.logged.some((line) => line.includes('swept what has expired'))).toBe(true);
    expect(server.logged.some((line) => line.includes('swept what has expired'))).toBe(false);
    await expect(fetch(`${worker.url}/livez`)).rejects.toThrow();
    expect((await fetch(`${worker.adminUrl}/ready`)).status).toBe(200);
    await worker.close();
    await server.close();
  });

  it('runs no job that there is not, and none that has data of its own', async () => {
    const server = await startTestApp();
    for (const name of ['nothing', 'upstream-revocation', ''])
      expect((await server.admin('POST', '/admin/jobs', { name })).status).toBe(404);
    for (const wrong of [{}, { name: 1 }, { name: 'expiry-sweep', data: {} }])
      expect((await server.admin('POST', '/admin/jobs', wrong)).status, JSON.stringify(wrong)).toBe(400);
    await server.close();
  });
});
