import { Test, type TestingModule } from '@nestjs/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { AccountsModule } from '../../src/accounts/accounts.module.js';
import { Identities, IdentityTaken } from '../../src/accounts/identities.js';
import { Users } from '../../src/accounts/users.js';
import { AuditModule } from '../../src/audit/audit.module.js';
import { ConfigModule } from '../../src/config/config.module.js';
import { loadConfig } from '../../src/config/load-config.js';
import { EncryptionModule } from '../../src/encryption/encryption.module.js';
import { BreakerModule } from '../../src/platform/breaker/breaker.module.js';
import { ClockModule } from '../../src/platform/clock/clock.module.js';
import { EphemeralModule } from '../../src/platform/ephemeral/ephemeral.module.js';
import { HttpClientModule } from '../../src/platform/http-client/http-client.module.js';
import { HttpModule } from '../../src/platform/http/http.module.js';
import { Database } from '../../src/platform/postgres/database.js';
import { PostgresModule } from '../../src/platform/postgres/postgres.module.js';
import { SettableClock } from '../app.js';
import { freshDatabase } from '../postgres.js';

const IDP = 'https://idp.example.com';
const EMAIL = 'ada@example.org';

let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let module: TestingModule;
let database: Database;
let users: Users;
let identities: Identities;

beforeAll(async () => {
  fresh = await freshDatabase();
  const env = { AUTHPLANE_SESSION_SECRET: 'a-session-secret-of-enough-characters' };
  const imports = [
    ConfigModule.of(loadConfig({ env, cwd: '/nowhere' })),
    BreakerModule,
    ClockModule.of(new SettableClock()),
    PostgresModule.of(fresh.connection, { maxConns: 10 }),
  ];
  module = await Test.createTestingModule({
    imports: [...imports, EphemeralModule, HttpClientModule, HttpModule, AuditModule, EncryptionModule, AccountsModule],
  }).compile();
  await module.init();
  [database, users, identities] = [module.get(Database), module.get(Users), module.get(Identities)];
});

beforeEach(() => database.query('truncate users, sessions, audit_events cascade'));

afterAll(async () => {
  await module.close();
  await fresh.drop();
});

const count = async (table: string): Promise<number> =>
  Number((await database.query<{ count: string }>(`select count(*) from ${table}`))[0]?.count);

const facts = () =>
  database.query<{ action: string; detail: unknown }>('select action, detail from audit_events order by id');

const aLocalUser = () => users.create({ email: EMAIL, password: 'correct horse battery' });

describe('identities', () => {
  it('make a user at the first arrival, with the fact beside it, and find the same one ever after', async () => {
    expect(await identities.find(IDP, 'ada')).toBeUndefined();
    const user = await identities.findOrCreate({ issuer: IDP, subject: 'ada', email: ' Ada@Example.ORG', name: 'Ada' });
    expect(user).toMatchObject({ email: EMAIL, name: 'Ada', status: 'active', role: 'user', provider: 'oidc' });
    expect(await identities.findOrCreate({ issuer: IDP, subject: 'ada', email: 'other@example.org' })).toEqual(user);
    expect(await identities.find(IDP, 'ada')).toEqual(user);
    expect(await facts()).toEqual([{ action: 'user.created', detail: { user: user.id, issuer: IDP } }]);
  });

  it('make one user of twenty who arrive at once as the same subject', async () => {
    const arrivals = Array.from({ length: 20 }, () => identities.findOrCreate({ issuer: IDP, subject: 'ada' }));
    expect(new Set((await Promise.all(arrivals)).map(({ id }) => id)).size).toBe(1);
    expect([await count('users'), await count('identities')]).toEqual([1, 1]);
  });

  it('are two people when two issuers use the same subject, and when an issuer differs by a slash', async () => {
    const arrivals = [IDP, `${IDP}/`, 'https://other.example.com'].map((issuer) => ({ issuer, subject: 'ada' }));
    const made = await Promise.all(arrivals.map((arrival) => identities.findOrCreate(arrival)));
    expect(new Set(made.map(({ id }) => id)).size).toBe(3);
  });

  it('never link by e-mail: an address that is taken stays where it is, and the newcomer has none', async () => {
    const local = await aLocalUser();
    const arrived = await identities.findOrCreate({ issuer: IDP, subject: 'ada', email: 'ADA@example.org' });
    expect(arrived.id).not.toBe(local.id);
    expect(arrived.email).toBeUndefined();
    expect(await users.find(arrived.id)).toEqual(arrived);
    expect(await users.find(local.id)).toEqual(local);
  });

  it('give no password to whoever comes from elsewhere', async () => {
    const arrived = await identities.findOrCreate({ issuer: IDP, subject: 'ada', email: EMAIL });
    expect(await users.checkPassword(EMAIL, '')).toMatchObject({ matches: false, reason: 'user_not_local' });
    expect(await users.setPassword(arrived.id, 'correct horse battery')).toBeUndefined();
  });

  it('store names that no database would, and no longer ones than an address may be', async () => {
    const name = `A\u0000da \ud800${'x'.repeat(1000)}`;
    const { id } = await identities.findOrCreate({ issuer: IDP, subject: 'ada', email: '\u0000@x', name });
    expect(await users.find(id)).toMatchObject({ name: `A\ufffdda \ufffd${'x'.repeat(314)}`, email: '\ufffd@x' });
  });

  it('are linked by an operator once: again changes nothing, and nobody else can be the same subject', async () => {
    const local = await aLocalUser();
    const link = (userId: string) => database.transaction((tx) => identities.link(tx, userId, IDP, 'ada'));
    await link(local.id);
    await link(local.id);
    expect(await identities.findOrCreate({ issuer: IDP, subject: 'ada' })).toEqual(local);
    const other = await identities.findOrCreate({ issuer: IDP, subject: 'grace' });
    await expect(link(other.id)).rejects.toThrow(IdentityTaken);
    expect((await identities.ofUser(local.id)).map(({ subject }) => subject)).toEqual(['ada']);
    expect((await facts()).filter(({ action }) => action === 'user.identity_linked')).toHaveLength(1);
  });

  it('are unlinked, and the next arrival is somebody new', async () => {
    const user = await identities.findOrCreate({ issuer: IDP, subject: 'ada' });
    const unlink = (userId: string) => database.transaction((tx) => identities.unlink(tx, userId, IDP, 'ada'));
    expect(await unlink('01900000-0000-7000-8000-000000000000')).toBe(false);
    expect(await unlink(user.id)).toBe(true);
    expect((await identities.findOrCreate({ issuer: IDP, subject: 'ada' })).id).not.toBe(user.id);
  });

  it('go with their user', async () => {
    const user = await identities.findOrCreate({ issuer: IDP, subject: 'ada' });
    await users.delete(user.id);
    expect(await count('identities')).toBe(0);
  });
});
