import { Test, type TestingModule } from '@nestjs/testing';
import type { Request, Response } from 'express';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AccountsModule } from '../../src/accounts/accounts.module.js';
import { BrowserSessions } from '../../src/accounts/browser-sessions.js';
import { PasswordHashing, PasswordUnfit } from '../../src/accounts/password-hashing.js';
import { EmailTaken, type User } from '../../src/accounts/user.js';
import { Users } from '../../src/accounts/users.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { loadConfig } from '../../src/config/load-config.js';
import { Clock } from '../../src/platform/clock/clock.js';
import { EncryptionModule } from '../../src/encryption/encryption.module.js';
import { BreakerModule } from '../../src/platform/breaker/breaker.module.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { EphemeralModule } from '../../src/platform/ephemeral/ephemeral.module.js';
import { HttpClientModule } from '../../src/platform/http-client/http-client.module.js';
import { HttpModule } from '../../src/platform/http/http.module.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { untilBlocked } from '../held-lock.js';
import { freshDatabase } from '../postgres.js';

class TestClock extends Clock {
  millis = Date.parse('2030-01-01T00:00:00Z');
  now(): Date {
    return new Date((this.millis += 1));
  }
}

/** The real one, counted. */
class CountedHashing extends PasswordHashing {
  verifications = 0;
  override verify(passwordHash: string | undefined, password: string): Promise<boolean> {
    this.verifications += 1;
    return super.verify(passwordHash, password);
  }
}

const PASSWORD = 'correct horse battery';
const NOBODY = '01900000-0000-7000-8000-000000000000';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let module: TestingModule;
let database: Database;
let users: Users;
let sessions: BrowserSessions;
const clock = new TestClock();
const hashing = new CountedHashing();

beforeAll(async () => {
  fresh = await freshDatabase();
  const config = loadConfig({
    env: { AUTHPLANE_SESSION_SECRET: 'a-session-secret-of-enough-characters' },
    cwd: '/nowhere',
  });
  const imports = [
    ConfigModule.of(config),
    BreakerModule,
    ClockModule.of(clock),
    PostgresModule.of(fresh.connection, { maxConns: 10 }),
  ];
  module = await Test.createTestingModule({
    imports: [...imports, EphemeralModule, HttpClientModule, HttpModule, AuditModule, EncryptionModule, AccountsModule],
  })
    .overrideProvider(PasswordHashing)
    .useValue(hashing)
    .compile();
  await module.init();
  [database, users, sessions] = [module.get(Database), module.get(Users), module.get(BrowserSessions)];
});

beforeEach(async () => {
  await database.query('truncate users, sessions, audit_events cascade');
});

afterAll(async () => {
  await module.close();
  await fresh.drop();
});

/** A browser reduced to its cookie jar. */
function aBrowser(): { req: Request; res: Response } {
  const headers: { cookie?: string } = {};
  const res = { append: (_: string, line: string) => void (headers.cookie = line.split(';', 1)[0]) };
  return { req: { headers } as unknown as Request, res: res as unknown as Response };
}

const aUser = (email = 'ada@example.org'): Promise<User> => users.create({ email, name: 'Ada', password: PASSWORD });
const count = async (table: string): Promise<number> =>
  Number((await database.query<{ count: string }>(`select count(*) from ${table}`))[0]?.count);
const facts = () =>
  database.query<{ action: string; detail: unknown }>('select action, detail from audit_events order by id');

async function signedIn(user: User): Promise<ReturnType<typeof aBrowser>> {
  const browser = aBrowser();
  expect(await sessions.start(browser.req, browser.res, user)).toBe(true);
  return browser;
}

describe('users', () => {
  it('are created active, under the one spelling of their address, with the fact beside them', async () => {
    const user = await users.create({ email: ' Ada@Example.ORG ', name: 'Ada', password: PASSWORD });
    expect(user).toMatchObject({
      email: 'ada@example.org',
      role: 'user',
      status: 'active',
      provider: 'local',
      version: 1,
    });
    expect(await users.find(user.id)).toEqual(user);
    expect(await facts()).toEqual([{ action: 'user.created', detail: { user: user.id } }]);
  });

  it('have an address of their own, however it is spelled, also when twenty are created at once', async () => {
    const spellings = Array.from({ length: 20 }, (_, n) => (n % 2 ? 'ada@example.org' : 'ADA@example.org'));
    const results = await Promise.allSettled(spellings.map((email) => aUser(email)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const reasons = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(reasons.filter((reason) => !(reason instanceof EmailTaken))).toEqual([]);
    expect(await facts()).toHaveLength(1);
  });

  it('cannot take the address of another by an update, which then changes nothing', async () => {
    const [ada, grace] = [await aUser(), await aUser('grace@example.org')];
    await expect(users.update(grace.id, { email: 'ADA@example.org', name: 'Ada' })).rejects.toThrow(EmailTaken);
    expect(await users.find(grace.id)).toEqual(grace);
    expect(await users.update(ada.id, { email: 'ADA@example.org', name: 'Ada L.' })).toMatchObject({ name: 'Ada L.' });
  });

  it('are refused a short password, and nothing is stored', async () => {
    await expect(users.create({ email: 'a@example.org', password: 'too short' })).rejects.toThrow(PasswordUnfit);
    expect(await count('users')).toBe(0);
  });

  it('are listed page by page, oldest first', async () => {
    const made = [await aUser('a@example.org'), await aUser('b@example.org'), await aUser('c@example.org')];
    const first = await users.list({ limit: 2 });
    expect(first.map(({ id }) => id)).toEqual([made[0]?.id, made[1]?.id]);
    expect((await users.list({ limit: 2, cursor: first[1]?.id })).map(({ id }) => id)).toEqual([made[2]?.id]);
  });

  it('lose every session for good when they are disabled, and get a new version', async () => {
    const user = await aUser();
    const browser = await signedIn(user);
    expect(await users.disable(user.id)).toMatchObject({ status: 'disabled', version: 2 });
    expect(await sessions.current(browser.req)).toBeUndefined();
    expect(await users.enable(user.id)).toMatchObject({ status: 'active', version: 3 });
    expect(await sessions.current(browser.req)).toBeUndefined();
    expect((await facts()).map(({ action }) => action)).toEqual(['user.created', 'user.disabled', 'user.enabled']);
  });

  it('are left as they are when they are disabled twice', async () => {
    const user = await aUser();
    await users.disable(user.id);
    expect(await users.disable(user.id)).toMatchObject({ version: 2 });
    expect((await facts()).map(({ action }) => action)).toEqual(['user.created', 'user.disabled']);
  });

  it('take their sessions along when they are deleted', async () => {
    const user = await aUser();
    await signedIn(user);
    expect(await users.delete(user.id)).toBe(true);
    expect(await count('sessions')).toBe(0);
    expect(await users.delete(user.id)).toBe(false);
  });

  it('who do not exist cannot be changed', async () => {
    expect(await users.find(NOBODY)).toBeUndefined();
    expect(await users.update(NOBODY, { name: 'x' })).toBeUndefined();
    expect(await users.disable(NOBODY)).toBeUndefined();
    expect(await users.setPassword(NOBODY, PASSWORD)).toBeUndefined();
    expect(await count('audit_events')).toBe(0);
  });

  it('never have their address in the audit', async () => {
    const user = await aUser();
    await users.update(user.id, { email: 'countess@example.org' });
    await users.setPassword(user.id, 'another long password', user.id);
    await users.delete(user.id);
    const rows = await database.query('select * from audit_events');
    expect(rows).toHaveLength(4);
    expect(JSON.stringify(rows)).not.toContain('example.org');
  });
});

describe('a password', () => {
  it('is checked with one verification, whatever is wrong', async () => {
    const user = await aUser();
    const disabled = await aUser('disabled@example.org');
    await users.disable(disabled.id);
    const federated = await aUser('federated@example.org');
    await database.query("update users set provider = 'oidc', password_hash = null where id = $1", [federated.id]);
    const attempts = [
      ['ada@example.org', PASSWORD, { matches: true, user }],
      ['ADA@example.org', 'wrong', { matches: false, reason: 'invalid_credentials', userId: user.id }],
      ['ada@example.org', '', { matches: false, reason: 'invalid_credentials', userId: user.id }],
      ['nobody@example.org', PASSWORD, { matches: false, reason: 'user_not_found' }],
      ['', '', { matches: false, reason: 'user_not_found' }],
      ['disabled@example.org', PASSWORD, { matches: false, reason: 'user_disabled', userId: disabled.id }],
      ['federated@example.org', PASSWORD, { matches: false, reason: 'user_not_local', userId: federated.id }],
    ] as const;
    for (const [email, password, outcome] of attempts) {
      hashing.verifications = 0;
      expect(await users.checkPassword(email, password)).toMatchObject(outcome);
      expect(hashing.verifications).toBe(1);
    }
  });

  it('of an account without one cannot be set', async () => {
    const user = await aUser();
    await database.query("update users set provider = 'oidc', password_hash = null where id = $1", [user.id]);
    expect(await users.setPassword(user.id, PASSWORD)).toBeUndefined();
    expect(await users.checkPassword('ada@example.org', PASSWORD)).toMatchObject({ matches: false });
  });

  it('that was changed meanwhile opens no session', async () => {
    const user = await aUser();
    const check = await users.checkPassword('ada@example.org', PASSWORD);
    await users.setPassword(user.id, 'another long password');
    const { req, res } = aBrowser();
    const passwordHash = check.matches ? check.passwordHash : '';
    expect(await sessions.start(req, res, user, { passwordHash, facts: [{ action: 'user.login' }] })).toBe(false);
    expect(await count('sessions')).toBe(0);
    expect((await facts()).map(({ action }) => action)).not.toContain('user.login');
  });

  it('that is being changed opens no session: the sign-in waits for the change and is refused', async () => {
    const user = await aUser();
    const check = await users.checkPassword('ada@example.org', PASSWORD);
    const passwordHash = check.matches ? check.passwordHash : '';
    const { req, res } = aBrowser();
    let late: Promise<boolean> | undefined;
    await database.transaction(async (tx) => {
      await tx.query("update users set password_hash = 'another' where id = $1", [user.id]);
      await tx.query('delete from sessions where user_id = $1', [user.id]);
      late = sessions.start(req, res, user, { passwordHash });
      await Promise.race([late, untilBlocked((text, values) => database.query(text, values), 'insert into sessions')]);
    });
    expect(await late).toBe(false);
    expect(await count('sessions')).toBe(0);
  });

  it('that is changed leaves no session of the old one, in twenty races', async () => {
    const user = await aUser();
    for (let round = 0; round < 20; round += 1) {
      const passwordHash = (await users.setPassword(user.id, `password of round ${round}`)) ?? '';
      const browsers = Array.from({ length: 5 }, aBrowser);
      await Promise.all([
        ...browsers.map(({ req, res }) => sessions.start(req, res, user, { passwordHash })),
        users.setPassword(user.id, `password of round ${round + 1}`),
      ]);
      expect(await count('sessions')).toBe(0);
    }
  });
});

describe('a browser session', () => {
  it('lives as long as session.max_age, by the clock', async () => {
    const user = await aUser();
    const { req } = await signedIn(user);
    clock.millis += 24 * 3_600_000 - 60_000;
    expect(await sessions.current(req)).toMatchObject({ user: { id: user.id } });
    clock.millis += 120_000;
    expect(await sessions.current(req)).toBeUndefined();
  });

  it('is stored as a hash only', async () => {
    const { req } = await signedIn(await aUser());
    const value = req.headers.cookie?.split('=')[1] ?? '';
    expect(value).toMatch(/^ap_se_/);
    const [row] = await database.query<{ secret_hash: Buffer }>('select * from sessions');
    expect(JSON.stringify(row)).not.toContain(value.slice(6));
    expect(row?.secret_hash).toHaveLength(32);
  });

  it('is not believed by its id alone', async () => {
    const { req } = await signedIn(await aUser());
    const value = req.headers.cookie ?? '';
    const forged = value.slice(0, -4) + (value.endsWith('AAAA') ? 'BBBB' : 'AAAA');
    expect(await sessions.current({ headers: { cookie: forged } } as Request)).toBeUndefined();
    expect(await sessions.current(req)).toBeDefined();
  });

  it('gets a new id by every sign-in and ends the one this browser had', async () => {
    const user = await aUser();
    const { req, res } = await signedIn(user);
    const first = await sessions.current(req);
    const copy = { headers: { ...req.headers } } as Request;
    await sessions.start(req, res, user);
    const second = await sessions.current(req);
    expect(second?.id).not.toBe(first?.id);
    expect(await sessions.current(copy)).toBeUndefined();
    expect(await count('sessions')).toBe(1);
  });

  it('of another browser does not end by naming its id in a forged cookie', async () => {
    const [ada, mallory] = [await aUser(), await aUser('mallory@example.org')];
    const victim = await signedIn(ada);
    const forged = `${victim.req.headers.cookie?.slice(0, -4)}AAAA`;
    const { res } = aBrowser();
    await sessions.start({ headers: { cookie: forged } } as Request, res, mallory);
    expect(await sessions.current(victim.req)).toBeDefined();
  });

  it('is not opened for somebody who was disabled', async () => {
    const user = await aUser();
    await users.disable(user.id);
    const { req, res } = aBrowser();
    expect(await sessions.start(req, res, user)).toBe(false);
  });

  it('is nobody’s while its user is not active, also where its row is still there', async () => {
    const user = await aUser();
    const { req } = await signedIn(user);
    await database.query("update users set status = 'disabled' where id = $1", [user.id]);
    expect(await sessions.current(req)).toBeUndefined();
  });

  it('is listed newest first, and ended one by one or all but this', async () => {
    const [ada, grace] = [await aUser(), await aUser('grace@example.org')];
    const [one, two, three] = [await signedIn(ada), await signedIn(ada), await signedIn(ada)];
    const [first, second, third] = await Promise.all([one, two, three].map(({ req }) => sessions.current(req)));
    expect((await sessions.ofUser(ada.id)).map(({ id }) => id)).toEqual([third?.id, second?.id, first?.id]);
    expect(await sessions.endOne(grace.id, first?.id ?? '')).toBe(false);
    expect(await sessions.endOne(ada.id, first?.id ?? '')).toBe(true);
    expect(await sessions.current(one.req)).toBeUndefined();
    expect(await sessions.endAll(ada.id, second?.id)).toBe(1);
    expect((await sessions.ofUser(ada.id)).map(({ id }) => id)).toEqual([second?.id]);
    expect((await facts()).filter(({ action }) => action === 'user.sessions_ended')).toHaveLength(2);
  });

  it('that expired is swept by the next sign-in of its user', async () => {
    const user = await aUser();
    await signedIn(user);
    clock.millis += 25 * 3_600_000;
    await signedIn(user);
    expect(await count('sessions')).toBe(1);
  });
});
