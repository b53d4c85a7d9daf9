import { beforeEach, describe, expect, it } from 'vitest';
import { loadConfig } from '../config/load-config.js';
import { SystemClock } from '../platform/clock/clock.js';
import { ProcessLimits } from '../platform/ephemeral/process-limits.js';
import { openRequestContext } from '../platform/http/request-context.js';
import { SignInLimits } from './sign-in-limits.js';

let limits: SignInLimits;

const limitsWith = (env: Record<string, string> = {}): SignInLimits =>
  new SignInLimits(loadConfig({ env, cwd: '/nowhere' }), new ProcessLimits(), new SystemClock());

beforeEach(() => {
  limits = limitsWith();
});

/** Runs `work` as a request from `ip`. */
const at = <T>(ip: string, work: () => Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const [req, res] = [{ ip, headers: {} }, { setHeader: () => {} }];
    openRequestContext(req as never, res as never, () => void work().then(resolve, reject));
  });

type Result = 'locked' | 'tried' | 'locks';

const fail = (identity: string, ip: string): Promise<Result> =>
  at(ip, async () => {
    const attempt = await limits.begin(identity);
    if (!attempt.allowed) return 'locked';
    return (await attempt.failed()) ? 'locks' : 'tried';
  });

const succeed = (identity: string, ip: string): Promise<boolean> =>
  at(ip, async () => {
    const attempt = await limits.begin(identity);
    if (attempt.allowed) await attempt.succeeded();
    return attempt.allowed;
  });

async function failTimes(times: number, identity: (n: number) => string, ip: (n: number) => string): Promise<Result[]> {
  const results: Result[] = [];
  for (let n = 0; n < times; n += 1) results.push(await fail(identity(n), ip(n)));
  return results;
}

describe('sign-in limits', () => {
  it('lock an identity at an address with the tenth failure, and say until when', async () => {
    expect(
      await failTimes(
        11,
        () => 'ada',
        () => '192.0.2.1',
      ),
    ).toEqual([...Array(9).fill('tried'), 'locks', 'locked']);
    const verdict = await at('192.0.2.1', () => limits.begin('ada'));
    expect(verdict).toMatchObject({ allowed: false });
    expect(verdict.allowed ? 0 : verdict.retryAfterSeconds).toBeGreaterThan(880);
  });

  it('leave the same person alone at another address, and another person at the same', async () => {
    await failTimes(
      10,
      () => 'ada',
      () => '192.0.2.1',
    );
    expect(await fail('ada', '192.0.2.2')).toBe('tried');
    expect(await fail('grace', '192.0.2.1')).toBe('tried');
  });

  it('count failures only: a success gives everything back', async () => {
    await failTimes(
      9,
      () => 'ada',
      () => '192.0.2.1',
    );
    expect(await succeed('ada', '192.0.2.1')).toBe(true);
    expect(
      await failTimes(
        10,
        () => 'ada',
        () => '192.0.2.1',
      ),
    ).not.toContain('locked');
  });

  it('give no more guesses to requests that are sent all at once', async () => {
    const verdicts = await Promise.all(Array.from({ length: 60 }, () => at('192.0.2.1', () => limits.begin('ada'))));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(10);
  });

  it.each([
    ['an address', 50, (n: number) => `person-${n}`, () => '192.0.2.1'],
    ['an identity', 100, () => 'ada', (n: number) => `10.0.${n >> 8}.${n & 255}`],
  ])('give no more guesses of %s to requests that are sent all at once', async (_, most, identity, ip) => {
    const begin = (n: number) => at(ip(n), () => limits.begin(identity(n)));
    const verdicts = await Promise.all(Array.from({ length: 300 }, (__, n) => begin(n)));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(most);
  });

  it('count neither people who sign in at once nor the requests refused meanwhile', async () => {
    const begin = (n: number) => at('192.0.2.1', () => limits.begin(`person-${n}`));
    const attempts = await Promise.all(Array.from({ length: 200 }, (_, n) => begin(n)));
    await Promise.all(attempts.map((attempt) => attempt.allowed && attempt.succeeded()));
    const results = await failTimes(
      51,
      (n) => `other-${n}`,
      () => '192.0.2.1',
    );
    expect(results.slice(48)).toEqual(['tried', 'locks', 'locked']);
  });

  it('give back one point of the address and of the identity on success, not the failures of others', async () => {
    await failTimes(
      49,
      (n) => `person-${n}`,
      () => '192.0.2.1',
    );
    for (let n = 0; n < 3; n += 1) expect(await succeed('ada', '192.0.2.1')).toBe(true);
    expect(await fail('grace', '192.0.2.1')).toBe('locks');
    await failTimes(
      99,
      () => 'alan',
      (n) => `10.0.0.${n}`,
    );
    for (let n = 0; n < 3; n += 1) expect(await succeed('alan', '10.0.1.1')).toBe(true);
    expect(await fail('alan', '10.0.1.2')).toBe('locks');
  });

  it('lock an address after fifty failures, whomever it tried', async () => {
    const results = await failTimes(
      51,
      (n) => `person-${n}`,
      () => '192.0.2.1',
    );
    expect(results.slice(49)).toEqual(['locks', 'locked']);
  });

  it('take an IPv6 network of 64 bits for one address, and a mapped IPv4 address for what it is', async () => {
    await failTimes(
      10,
      () => 'ada',
      (n) => `2001:db8:1:2::${n + 1}`,
    );
    expect(await fail('ada', '2001:db8:1:2:ffff::1')).toBe('locked');
    expect(await fail('ada', '2001:db8:1:3::1')).toBe('tried');
    await failTimes(
      10,
      () => 'grace',
      () => '::ffff:192.0.2.9',
    );
    expect(await fail('grace', '192.0.2.9')).toBe('locked');
  });

  it('lock an identity everywhere after a hundred failures', async () => {
    const results = await failTimes(
      101,
      () => 'ada',
      (n) => `192.0.2.${n}`,
    );
    expect(results.slice(99)).toEqual(['locks', 'locked']);
  });

  it('count an identity by its first 254 bytes: no new one by making it longer', async () => {
    const long = 'a'.repeat(254);
    await failTimes(
      10,
      (n) => long + 'b'.repeat(n),
      () => '192.0.2.1',
    );
    expect(await fail(`${long}c`, '192.0.2.1')).toBe('locked');
  });

  it('are off when rate_limit.auth_fail_max is 0', async () => {
    limits = limitsWith({ AUTHPLANE_RATE_LIMIT_AUTH_FAIL_MAX: '0' });
    expect(
      new Set(
        await failTimes(
          60,
          () => 'ada',
          () => '192.0.2.1',
        ),
      ),
    ).toEqual(new Set(['tried']));
    expect(await succeed('ada', '192.0.2.1')).toBe(true);
  });
});
