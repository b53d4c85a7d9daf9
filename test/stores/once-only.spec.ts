import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import {
  aFlow,
  aGrantedCode,
  allow,
  pkce,
  redeem,
  refresh,
  type Flow,
  type GrantedCode,
  type TokenResponse,
} from '../builders.js';
import { HttpBrowser } from '../http-browser.js';

const CODES = 50;
const CALLERS = 20;

let app: TestApp;
let flow: Flow;
let browser: HttpBrowser;

beforeAll(async () => {
  app = await startTestApp({ settings: { RATE_LIMIT_ENABLED: 'false' } });
  flow = await aFlow(app);
  browser = new HttpBrowser();
  await allow(flow, pkce().challenge, {}, browser);
});
afterAll(() => app.close());

async function manyCodes(): Promise<GrantedCode[]> {
  const codes: GrantedCode[] = [];
  for (let made = 0; made < CODES; made += 5) {
    codes.push(...(await Promise.all(times(5, () => aGrantedCode(flow, {}, browser)))));
  }
  return codes;
}

type Call<T> = (item: T) => Promise<TokenResponse>;

/** 20 callers for each of `items`, five items at a time: a queue longer than the pool's patience is answered with 503. */
async function race<T>(items: readonly T[], call: Call<T>): Promise<TokenResponse[][]> {
  const answers: TokenResponse[][] = [];
  for (let at = 0; at < items.length; at += 5) {
    const some = items.slice(at, at + 5).map((item) => Promise.all(times(CALLERS, () => patiently(call, item))));
    answers.push(...(await Promise.all(some)));
  }
  return answers;
}

/** A client that does as it is told: on a machine too busy to reach its own database, it is told to try again. */
async function patiently<T>(call: Call<T>, item: T): Promise<TokenResponse> {
  for (;;) {
    const answer = await call(item);
    if (answer.status !== 503) return answer;
  }
}

const times = <T>(count: number, make: () => T): T[] => Array.from({ length: count }, make);

describe('20 callers at once', { timeout: 120_000 }, () => {
  it('[B18] redeem each of 50 codes exactly once', async () => {
    const codes = await manyCodes();
    const answers = await race(codes, redeem);
    expect(answers.map((all) => all.filter(({ status }) => status === 200).length)).toEqual(times(CODES, () => 1));
    const refused = answers.flat().filter(({ status }) => status !== 200);
    expect(new Set(refused.map(({ status, body }) => `${status} ${body.error}`))).toEqual(
      new Set(['400 invalid_grant']),
    );
    const [{ issued }] = (await app.sql<{ issued: number }>(
      `select count(*)::int as issued from issuances where grant_type = 'authorization_code'`,
    )) as [{ issued: number }];
    expect(issued).toBe(CODES);
  });

  it('[B10] spend each of 50 refresh tokens exactly once, and then their families are over', async () => {
    const tokens = await Promise.all(
      (await manyCodes()).map(async (code) => (await patiently(redeem, code)).body.refresh_token as string),
    );
    const refreshed = (token: string): Promise<TokenResponse> => refresh(flow, token);
    const answers = await race(tokens, refreshed);
    expect(answers.map((all) => all.filter(({ status }) => status === 200).length)).toEqual(times(CODES, () => 1));
    const successors = answers.map((all) => all.find(({ status }) => status === 200)!.body.refresh_token as string);
    const after = await Promise.all(successors.map((token) => patiently(refreshed, token)));
    expect(new Set(after.map(({ body }) => body.error_description))).toEqual(
      new Set(['token family revoked due to reuse detection']),
    );
  });
});
