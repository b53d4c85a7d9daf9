import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp } from '../app.js';
import { aFlow, audited, refresh, tokensOf, type Flow, type TokenResponse } from '../builders.js';
import { arrive, SEALING, type Federation } from '../federating.js';
import { whileHeld } from '../held-lock.js';
import { HttpBrowser } from '../http-browser.js';
import {
  fromAcme,
  INTERVAL_SECONDS,
  isSignedIn,
  standingOf,
  startRechecking,
  whyRefused,
  type FromAcme,
} from '../rechecking.js';

let at: Federation;

beforeAll(async () => {
  at = await startRechecking();
});

afterEach(() => at.acme.set({ away: false, hold: false, refreshTokens: true, people: {} }));

afterAll(async () => {
  await at.close();
});

const epoch = async (): Promise<number> =>
  Number((await at.app.sql<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch);
const asked = async (): Promise<number> => (await at.acme.requests()).refresh;
const interval = (): void => at.app.clock.advance(INTERVAL_SECONDS);

/** An application that goes on with what it is given. */
class Application {
  constructor(
    readonly flow: Flow,
    public refreshToken: string,
  ) {}

  async refresh(): Promise<TokenResponse> {
    const answer = await refresh(this.flow, this.refreshToken);
    this.refreshToken = answer.body.refresh_token ?? this.refreshToken;
    return answer;
  }
}

const applicationOf = ({ flow, refreshToken }: FromAcme): Application => new Application(flow, refreshToken);

async function expectRefused(answer: TokenResponse, reason: string): Promise<void> {
  expect([answer.status, answer.body.error]).toEqual([400, 'invalid_grant']);
  expect(answer.body.error_description).toBe('the person must sign in again; this refresh token works after that');
  expect(await whyRefused(at, answer.body.request_id)).toBe(reason);
}

describe('somebody whom the identity provider still knows', () => {
  it('is asked about once per interval, by whatever they do, and nobody notices', async () => {
    const person = await fromAcme(at);
    const application = applicationOf(person);
    const [before, { sealed }] = [await asked(), await standingOf(at, person.login)];
    expect((await application.refresh()).status).toBe(200);
    expect(await isSignedIn(at, person)).toBe(true);
    expect(await asked()).toBe(before);
    interval();
    expect((await application.refresh()).status).toBe(200);
    expect(await isSignedIn(at, person)).toBe(true);
    expect((await application.refresh()).status).toBe(200);
    expect(await asked()).toBe(before + 1);
    const after = await standingOf(at, person.login);
    expect(after).toMatchObject({ checkedAt: at.app.clock.now(), refusedAt: null, begunAt: null });
    expect(after.sealed).not.toBe(sealed);
    interval();
    expect(await isSignedIn(at, person)).toBe(true);
    expect(await asked()).toBe(before + 2);
  });

  it('has the groups by then that the provider says they have, and what was decided by the former is decided again', async () => {
    const person = await fromAcme(at, { groups: ['staff', 'admins'] });
    const application = applicationOf(person);
    await at.acme.set({ people: { [person.login]: { groups: ['staff'] } } });
    const before = await epoch();
    expect((await application.refresh()).status).toBe(200);
    expect((await standingOf(at, person.login)).groups).toEqual(['admins', 'staff']);
    interval();
    expect((await application.refresh()).status).toBe(200);
    expect((await standingOf(at, person.login)).groups).toEqual(['staff']);
    expect(await epoch()).toBe(before + 1);
    interval();
    expect((await application.refresh()).status).toBe(200);
    expect(await epoch()).toBe(before + 1);
  });

  it('is asked about once by two replicas at which they do much at once', async () => {
    const person = await fromAcme(at);
    const other = await startTestApp({ beside: at.app, clock: at.app.clock, yaml: at.yaml, settings: SEALING });
    try {
      interval();
      const before = await asked();
      const pages = [at.app.url, other.url].flatMap((url) => Array.from({ length: 6 }, () => `${url}/account`));
      // Both have seen that it is time, and neither has begun.
      const visits = await whileHeld(
        at.app,
        `select from identities where subject = '${person.login}' for update`,
        () => Promise.all(pages.map((page) => person.browser.get(page))),
        (untilWaiting) => untilWaiting(2),
      );
      expect(visits.map(({ status }) => status)).toEqual(pages.map(() => 200));
      expect(await asked()).toBe(before + 1);
    } finally {
      await other.close();
    }
  });
});

describe('somebody whom the identity provider does not vouch for any more', () => {
  it.each([
    ['disabled there', { gone: true }, 'invalid_grant'],
    ['of another domain by now', { hd: 'elsewhere.example' }, 'hosted_domain_refused'],
  ])('because they are %s, is refused within the interval, until they sign in again', async (_, claims, why) => {
    const person = await fromAcme(at);
    const application = applicationOf(person);
    await at.acme.set({ people: { [person.login]: claims } });
    expect((await application.refresh()).status).toBe(200);
    interval();
    // Whoever is about to issue something for this person looks at the version that they decided on.
    const versions = () => at.app.sql<{ version: number }>('select version from users where id = $1', [person.userId]);
    const [before] = await versions();
    await expectRefused(await application.refresh(), 'identity_refused');
    expect(Number((await versions())[0]?.version)).toBeGreaterThan(Number(before?.version));
    await expectRefused(await application.refresh(), 'identity_refused');
    expect(await isSignedIn(at, person)).toBe(false);
    expect(await at.app.sql('select id from sessions where user_id = $1', [person.userId])).toEqual([]);
    expect(await standingOf(at, person.login)).toMatchObject({ refusedAt: at.app.clock.now(), sealed: null });
    const [row] = await audited(at.app, 'user.identity_refused');
    expect(row).toMatchObject({
      reason: 'identity_refused',
      actor_id: person.userId,
      detail: { provider: 'acme', why },
    });

    await at.acme.set({ people: {} });
    await expectRefused(await application.refresh(), 'identity_refused');
    await arrive(at, new HttpBrowser(), person.login);
    expect((await application.refresh()).status).toBe(200);
  });

  it('is not signed in any more by a look at a page alone', async () => {
    const person = await fromAcme(at);
    await at.acme.set({ people: { [person.login]: { gone: true } } });
    expect(await isSignedIn(at, person)).toBe(true);
    interval();
    expect(await isSignedIn(at, person)).toBe(false);
    await expectRefused(await applicationOf(person).refresh(), 'identity_refused');
  });
});

describe('an identity provider that is away', () => {
  it('is gone without for an hour beyond the interval, left alone in between, and then it is a 503 that costs nothing', async () => {
    const person = await fromAcme(at);
    const application = applicationOf(person);
    interval();
    await at.acme.set({ away: true });
    expect((await application.refresh()).status).toBe(200);
    expect(await isSignedIn(at, person)).toBe(true);
    at.app.clock.advance(3599);
    expect((await application.refresh()).status).toBe(200);
    at.app.clock.advance(1);
    const away = await application.refresh();
    expect([away.status, away.body.error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(away.headers.get('retry-after'))).toBeGreaterThan(0);
    const page = await person.browser.get(`${at.app.issuer}/account`);
    expect([page.status, page.location]).toEqual([503, undefined]);

    await at.acme.set({ away: false });
    at.app.clock.advance(Number(away.headers.get('retry-after')));
    expect((await application.refresh()).status).toBe(200);
    expect(await isSignedIn(at, person)).toBe(true);
  });

  it('is not asked by everybody at every turn', async () => {
    const person = await fromAcme(at);
    interval();
    const { discovery, token } = await at.acme.requests();
    await at.acme.set({ away: true });
    for (let visit = 0; visit < 5; visit += 1) expect(await isSignedIn(at, person)).toBe(true);
    await at.acme.set({ away: false });
    expect(await isSignedIn(at, person)).toBe(true);
    expect(await at.acme.requests()).toMatchObject({ discovery, token });
    at.app.clock.advance(30);
    expect(await isSignedIn(at, person)).toBe(true);
    expect((await at.acme.requests()).token).toBe(token + 1);
  });

  it('keeps nobody from signing out', async () => {
    const person = await fromAcme(at);
    const account = (await person.browser.get(`${at.app.issuer}/account`)).html;
    const csrf = /action="\/logout"[\s\S]*?name="csrf" value="([^"]*)"/.exec(account)?.[1] ?? '';
    await at.acme.set({ away: true });
    at.app.clock.advance(INTERVAL_SECONDS + 3600);
    expect((await person.browser.post(`${at.app.issuer}/logout`, { csrf })).status).toBe(303);
    expect(await at.app.sql('select id from sessions where user_id = $1', [person.userId])).toEqual([]);
  });
});

describe('without a refresh token of the provider', () => {
  it('there is nothing to ask it with: after the interval the person signs in again, and the application goes on', async () => {
    await at.acme.set({ refreshTokens: false });
    const person = await fromAcme(at);
    const application = applicationOf(person);
    expect((await application.refresh()).status).toBe(200);
    interval();
    await expectRefused(await application.refresh(), 'identity_unchecked');
    expect(await isSignedIn(at, person)).toBe(false);
    await arrive(at, new HttpBrowser(), person.login);
    expect((await application.refresh()).status).toBe(200);
  });

  it('because the answer to the last question was lost, the person signs in again, and nobody says that they were refused', async () => {
    const person = await fromAcme(at);
    const application = applicationOf(person);
    const { id, sealed } = await standingOf(at, person.login);
    interval();
    expect((await application.refresh()).status).toBe(200);
    // As if a process had died between the answer and its commit.
    await at.app.sql('update identities set sealed_refresh_token = $2, check_began_at = $3 where id = $1', [
      id,
      sealed,
      at.app.clock.now(),
    ]);
    interval();
    await expectRefused(await application.refresh(), 'identity_unchecked');
    expect(await standingOf(at, person.login)).toMatchObject({ refusedAt: null, sealed: null, begunAt: null });
    expect((await audited(at.app, 'user.identity_refused'))[0]?.reason).toBe('recheck_outcome_lost');
    await arrive(at, new HttpBrowser(), person.login);
    expect((await application.refresh()).status).toBe(200);
  });
});

describe('whom it does not concern', () => {
  it('is whoever has a password only', async () => {
    const flow = await aFlow(at.app);
    const { tokens } = await tokensOf(flow);
    const before = await at.acme.requests();
    at.app.clock.advance(INTERVAL_SECONDS + 3600);
    expect((await refresh(flow, tokens.refresh_token)).status).toBe(200);
    expect(await at.acme.requests()).toEqual(before);
  });

  it('is whoever signed in last at a provider that is not asked again', async () => {
    const person = await fromAcme(at);
    const application = applicationOf(person);
    await at.app.admin('POST', `/admin/users/${person.userId}/identities`, {
      issuer: at.globex.origin,
      subject: person.login,
    });
    at.app.clock.advance(1);
    expect((await arrive(at, new HttpBrowser(), person.login, 'globex')).status).toBe(303);
    await at.acme.set({ people: { [person.login]: { gone: true } } });
    interval();
    expect((await application.refresh()).status).toBe(200);
  });
});
