import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { audited, aUser, refresh, signIn } from '../builders.js';
import { arrive, type Federation } from '../federating.js';
import { HttpBrowser } from '../http-browser.js';
import { fromAcme, INTERVAL_SECONDS, isSignedIn, standingOf, startRechecking, whyRefused } from '../rechecking.js';

let at: Federation;

beforeAll(async () => {
  at = await startRechecking();
});

afterEach(() => at.acme.set({ away: false, people: {} }));

afterAll(async () => {
  await at.close();
});

const interval = (): void => at.app.clock.advance(INTERVAL_SECONDS);

describe('a refresh token of the provider, as it lies in the database,', () => {
  it('does not open in the row of somebody else', async () => {
    const [thief, victim] = [await fromAcme(at), await fromAcme(at)];
    await at.app.sql(
      `update identities set sealed_refresh_token = (select sealed_refresh_token from identities where subject = $1)
        where subject = $2`,
      [victim.login, thief.login],
    );
    const before = await at.acme.requests();
    interval();
    const answer = await refresh(thief.flow, thief.refreshToken);
    expect([answer.status, await whyRefused(at, answer.body.request_id)]).toEqual([400, 'identity_unchecked']);
    expect((await at.acme.requests()).token).toBe(before.token);
  });

  it('does not open when a bit of it is another', async () => {
    const { login, flow, refreshToken } = await fromAcme(at);
    const { sealed = '' } = await standingOf(at, login);
    const broken = `${sealed?.slice(0, -2)}${sealed?.endsWith('AA') ? 'BB' : 'AA'}`;
    await at.app.sql('update identities set sealed_refresh_token = $1 where subject = $2', [broken, login]);
    interval();
    const answer = await refresh(flow, refreshToken);
    expect(await whyRefused(at, answer.body.request_id)).toBe('identity_unchecked');
  });
});

describe('an answer of the provider that may not be believed', () => {
  it('is none: an ID token of a stranger moves nothing, and the refresh token beside it is kept', async () => {
    const person = await fromAcme(at, { groups: ['staff'] });
    const before = await standingOf(at, person.login);
    interval();
    await at.acme.set({ forge: { key: 'stranger', claims: { groups: ['admins'] } } });
    expect(await isSignedIn(at, person)).toBe(true);
    const after = await standingOf(at, person.login);
    expect(after).toMatchObject({ groups: ['staff'], checkedAt: before.checkedAt, refusedAt: null, begunAt: null });
    expect(after.sealed).not.toBe(before.sealed);
    at.app.clock.advance(30);
    expect(await isSignedIn(at, person)).toBe(true);
    expect((await standingOf(at, person.login)).checkedAt).toEqual(at.app.clock.now());
  });

  it.each([
    ['of another issuer', { iss: 'http://localhost:1' }],
    ['for another client', { aud: 'another-client' }],
    ['that has expired', { exp: 1, iat: 1 }],
  ])('is none: an ID token %s', async (_, claims) => {
    const person = await fromAcme(at, { groups: ['staff'] });
    const before = await standingOf(at, person.login);
    interval();
    await at.acme.set({ forge: { claims: { ...claims, groups: ['admins'] } } });
    expect(await isSignedIn(at, person)).toBe(true);
    expect(await standingOf(at, person.login)).toMatchObject({ groups: ['staff'], checkedAt: before.checkedAt });
    // Without the answer that came with it, the next refresh token is lost: the person signs in again.
    at.app.clock.advance(30);
    expect(await isSignedIn(at, person)).toBe(false);
    expect(await standingOf(at, person.login)).toMatchObject({ refusedAt: null, sealed: null });
  });

  it('keeps out whom it is about: an ID token of another person', async () => {
    const [person, other] = [await fromAcme(at), await fromAcme(at)];
    interval();
    await at.acme.set({ forge: { claims: { sub: other.login } } });
    expect(await isSignedIn(at, person)).toBe(false);
    const [row] = await audited(at.app, 'user.identity_refused');
    expect(row).toMatchObject({ actor_id: person.userId, detail: { why: 'another_subject' } });
    expect(await isSignedIn(at, other)).toBe(true);
  });
});

describe('somebody who was refused', () => {
  it('gets nothing, however many of their tokens are used at once, and none of it counts as reuse', async () => {
    const person = await fromAcme(at);
    const issued = async (): Promise<unknown> =>
      (await at.app.sql('select count(*)::int as count from issuances where user_id = $1', [person.userId]))[0];
    await at.acme.set({ people: { [person.login]: { gone: true } } });
    interval();
    const before = await issued();
    const answers = await Promise.all(Array.from({ length: 8 }, () => refresh(person.flow, person.refreshToken)));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 400));
    expect(await issued()).toEqual(before);
    await at.acme.set({ people: {} });
    await arrive(at, new HttpBrowser(), person.login);
    expect((await refresh(person.flow, person.refreshToken)).status).toBe(200);
  });

  it('does not come back by a password-less way: not by a session that began elsewhere', async () => {
    const person = await fromAcme(at);
    await at.app.admin('POST', `/admin/users/${person.userId}/identities`, {
      issuer: at.globex.origin,
      subject: person.login,
    });
    const elsewhere = new HttpBrowser();
    await arrive(at, elsewhere, person.login, 'globex');
    at.app.clock.advance(1);
    await arrive(at, person.browser, person.login);
    await at.acme.set({ people: { [person.login]: { gone: true } } });
    interval();
    expect(await isSignedIn(at, { browser: elsewhere })).toBe(false);
    expect(await isSignedIn(at, person)).toBe(false);
  });

  it('may sign in by a password that they have beside it, and applications wait all the same', async () => {
    const person = await fromAcme(at);
    const user = await aUser(at.app);
    await at.app.sql(
      'update users set provider = $2, password_hash = (select password_hash from users where id = $3) where id = $1',
      [person.userId, 'local', user.id],
    );
    await at.acme.set({ people: { [person.login]: { gone: true } } });
    interval();
    expect((await refresh(person.flow, person.refreshToken)).status).toBe(400);
    const email = `${person.login}@corp.example`;
    await signIn(person.browser, await person.browser.get(`${at.app.issuer}/login`), { ...user, email });
    expect(await isSignedIn(at, person)).toBe(true);
    const answer = await refresh(person.flow, person.refreshToken);
    expect([answer.status, await whyRefused(at, answer.body.request_id)]).toEqual([400, 'identity_refused']);
  });

  it('is told nothing by a stranger’s request: only whoever holds a live token makes the provider be asked', async () => {
    const [person, other] = [await fromAcme(at), await fromAcme(at)];
    interval();
    const before = await at.acme.requests();
    expect((await refresh(other.flow, person.refreshToken)).status).toBe(400);
    expect((await refresh(person.flow, `${person.refreshToken.slice(0, -2)}xx`)).status).toBe(400);
    expect((await at.acme.requests()).refresh).toBe(before.refresh);
  });
});

describe('what the provider gave', () => {
  it('is in no log line, audit row or answer', async () => {
    const person = await fromAcme(at);
    interval();
    expect(await isSignedIn(at, person)).toBe(true);
    const given = await at.acme.refreshTokens();
    expect(given.length).toBeGreaterThan(1);
    const { body } = await at.app.admin('GET', `/admin/users/${person.userId}/identities`);
    const audit = await at.app.sql('select * from audit_events');
    const rows = await at.app.sql('select * from identities');
    const told = [at.app.logged.join('\n'), JSON.stringify(body), JSON.stringify(audit), JSON.stringify(rows)];
    expect(given.filter((token) => told.some((text) => text.includes(token)))).toEqual([]);
  });
});
