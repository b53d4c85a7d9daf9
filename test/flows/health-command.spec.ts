import { execFile } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { freePort } from '../free-port.js';
import { serverMain } from '../server-process.js';

interface Said {
  readonly code: number;
  readonly out: string;
}

/** As the health check of a container runs it: a process of its own, with the environment of the server. */
const health = (env: Record<string, string>, ...args: string[]): Promise<Said> =>
  new Promise((resolve) => {
    execFile(process.execPath, [serverMain, 'health', ...args], { env, timeout: 20_000 }, (error, stdout, stderr) =>
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? -1 : 0, out: stdout + stderr }),
    );
  });

describe('authserver health', () => {
  let app: TestApp;
  beforeAll(async () => void (app = await startTestApp()));
  afterAll(() => app.close());

  const addressOf = (url: string): string => new URL(url).host;

  it('asks the public listener of this configuration', async () => {
    const said = await health({ AUTHPLANE_SERVER_ADDRESS: addressOf(app.url) });
    expect(said).toMatchObject({ code: 0, out: expect.stringContaining('"status":"ok"') });
  });

  it('reaches by loopback what is bound to every interface', async () => {
    const { port } = new URL(app.url);
    expect(await health({ AUTHPLANE_SERVER_ADDRESS: `0.0.0.0:${port}` })).toMatchObject({ code: 0 });
  });

  it('asks the administration listener of a worker, which has no other', async () => {
    const env = {
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${await freePort()}`,
      AUTHPLANE_ADMIN_ADDRESS: addressOf(app.adminUrl),
    };
    expect(await health(env, '--role', 'worker')).toMatchObject({ code: 0 });
    expect(await health({ ...env, AUTHPLANE_SERVER_ROLE: 'worker' })).toMatchObject({ code: 0 });
    const { code, out } = await health(env);
    expect([code, out]).toEqual([1, expect.stringContaining('does not answer')]);
  });

  it('asks what it is told to, and fails on every answer but 200', async () => {
    expect(await health({}, '--url', `${app.adminUrl}/ready`)).toMatchObject({ code: 0 });
    const { code, out } = await health({}, '--url', `${app.url}/nothing`);
    expect([code, out]).toEqual([1, expect.stringContaining('answers 404')]);
  });

  it('says what is wrong with the configuration', async () => {
    const { code, out } = await health({ AUTHPLANE_CONFIG: '/nowhere/authplane.yaml' });
    expect([code, out]).toEqual([1, expect.stringContaining('/nowhere/authplane.yaml cannot be read')]);
  });
});
