import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFlow, aGrantedCode, allow, pkce, redeem, refresh, type Flow } from '../builders.js';
import { HttpBrowser } from '../http-browser.js';
import { temporaryDirectory } from '../postgres.js';
import { freePort } from '../free-port.js';
import { startServerProcess, type ServerProcess } from '../server-process.js';

const FAMILIES = 500;

const data = temporaryDirectory();
let server: ServerProcess;
let start: () => Promise<ServerProcess>;

beforeAll(async () => {
  const ports = { public: await freePort(), admin: await freePort() };
  start = () =>
    startServerProcess({ dataDir: `${data.path}/data`, ports, env: { AUTHPLANE_RATE_LIMIT_ENABLED: 'false' } });
  server = await start();
});
afterAll(async () => {
  await server.end('SIGTERM');
  data.remove();
});

/** `work` for every item, a few at a time. */
async function each<T, R>(items: readonly T[], width: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) results[at] = await work(items[at]!);
  };
  await Promise.all(Array.from({ length: width }, lane));
  return results;
}

async function families(flow: Flow): Promise<string[]> {
  const browser = new HttpBrowser();
  await allow(flow, pkce().challenge, {}, browser);
  return each(Array.from({ length: FAMILIES }), 10, async () => {
    const { body } = await redeem(await aGrantedCode(flow, {}, browser));
    return body.refresh_token as string;
  });
}

describe('a server that is killed in the middle of 500 refreshes', { timeout: 120_000 }, () => {
  it('has lost nothing it acknowledged: every token works or is known as spent', async () => {
    const flow = await aFlow(server);
    const before = await families(flow);

    // The kill comes while answers are still on their way.
    let acknowledged = 0;
    const after = await each(before, 32, async (token) => {
      try {
        const { status, body } = await refresh(flow, token);
        acknowledged += 1;
        if (acknowledged === FAMILIES / 2) void server.end('SIGKILL');
        return status === 200 ? (body.refresh_token as string) : undefined;
      } catch {
        return undefined;
      }
    });
    const known = after.filter((token) => token !== undefined);
    expect(known.length).toBeGreaterThanOrEqual(FAMILIES / 2);
    expect(known.length).toBeLessThan(FAMILIES);

    server = await start();
    const again: Flow = { ...flow, app: server };
    const outcomes = await each(before, 16, async (token) => {
      const successor = after[before.indexOf(token)];
      if (successor !== undefined) return (await refresh(again, successor)).status === 200 ? 'works' : 'lost';
      const { status, body } = await refresh(again, token);
      if (status === 200) return 'was never spent';
      return body.error_description === 'refresh token has already been used'
        ? 'known as spent'
        : `odd: ${status} ${body.error}`;
    });
    expect(outcomes.filter((outcome) => outcome === 'works').length).toBe(known.length);
    const explained = ['works', 'was never spent', 'known as spent'];
    expect(outcomes.filter((outcome) => !explained.includes(outcome))).toEqual([]);
  });

  it('finds the database it left behind, and stops it in the end', async () => {
    expect(server.output.join('\n')).not.toContain('initdb');
    expect((await fetch(`${server.issuer}/ready`)).status).toBe(200);
    expect(await server.end('SIGTERM')).toBe(0);
    server = await start();
    expect((await fetch(`${server.issuer}/ready`)).status).toBe(200);
  });
});
