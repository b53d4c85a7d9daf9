import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunningClock, startTestApp, type TestApp } from '../app.js';

const TWIN = join(import.meta.dirname, '../conformance/xaa/evil-twin.mjs');
const settings = { XAA_ENABLED: 'true', RATE_LIMIT_ENABLED: 'false' };

interface Row {
  readonly name: string;
  readonly code: string;
  readonly jti: 'spent' | 'unspent';
  readonly wrong: readonly string[];
}

interface Fault {
  readonly facts: { readonly problem: string };
}

let app: TestApp;
let replica: TestApp;
beforeAll(async () => {
  app = await startTestApp({ settings, clock: new RunningClock() });
  replica = await startTestApp({ settings, beside: app, clock: app.clock });
});
afterAll(async () => {
  await replica.close();
  await app.close();
});

describe('the evil twin of an identity provider', () => {
  it('[E4 E5 E6 E7 E8 J1 J5 J6] gets no token for anything it signs, and what is refused spends no jti', async () => {
    const places = ['--url', app.url, '--admin-url', app.adminUrl, '--replica-url', replica.url];
    const env = { ...process.env, AUTHPLANE_ADMIN_API_KEY: app.adminKey };
    const { stdout } = await promisify(execFile)(process.execPath, [TWIN, ...places, '--json'], { env }).catch(
      (failed: { stdout: string; stderr: string }) => {
        if (failed.stdout === '') throw new Error(failed.stderr);
        return failed;
      },
    );
    const rows = JSON.parse(stdout) as Row[];
    expect(rows.filter(({ wrong }) => wrong.length > 0)).toEqual([]);
    expect(rows.length).toBeGreaterThanOrEqual(65);
    // A fault is no refusal, so that its reason is in the log alone: that of whoever logs, the newest app.
    const faults = [...app.logged, ...replica.logged].filter((line) => line.includes('"reason":"idp_unavailable"'));
    const problems = faults.map(
      (line) => (JSON.parse(line.slice(line.indexOf('{'), line.lastIndexOf('}') + 1)) as Fault).facts.problem,
    );
    expect(problems).toEqual([
      'not fetched: timeout',
      'not fetched: too_large',
      'the host answered 302, not 200',
      'not fetched: host',
      'not fetched: address',
      'the answer is not JSON in UTF-8 without repeated members',
      'it holds a private or symmetric key: replace that key',
      'the host answered 500, not 200',
    ]);
    expect(rows.filter(({ jti }) => jti === 'spent').map(({ name }) => name)).toEqual([
      'used twice',
      'used twice, on two replicas',
      'another assertion with a jti that was used',
      'used twenty times at once',
    ]);
  }, 120_000);
});
