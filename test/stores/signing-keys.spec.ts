import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestingModule } from '@nestjs/testing';
import { importJWK } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { generateSigningKey, importPrivate, signJwt } from '#libs/jwt';
import { isDatabaseAway } from '../../src/platform/postgres/database.js';
import { cuttable } from '../cuttable.js';
import { startKeyReplica, type Env, type KeyReplica, type KeyReplicaOptions } from '../key-replicas.js';
import { freshDatabase, openDatabase } from '../postgres.js';
import { StoppedClock } from '../vault.js';
import { startVaultServer, type VaultServer } from '../vault-transit-server.js';

const seconds = 1_000;
const minutes = 60 * seconds;
/** The longest life of an access token, and the margin. */
const tail = 24 * 60 * minutes + 11 * minutes;

const keyfile: Env = {};
const sealed: Env = {
  AUTHPLANE_SIGNING_KEY_STORE: 'postgres_key',
  AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'aes_master',
  AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER',
  MASTER: '11'.repeat(32),
};

/** Where Vault is, it knows only when it has one. */
const vaulted: Env = { AUTHPLANE_SIGNING_KEY_STORE: 'vault_transit' };

let vault: VaultServer;
let clock: StoppedClock;
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let opened: Awaited<ReturnType<typeof openDatabase>>;
let directory: string;
let booted: TestingModule[];

beforeAll(async () => {
  vault = await startVaultServer();
  vault.makeSigningKey('authserver-signing', 'ecdsa-p256');
  vault.makeSigningKey('edwards', 'ed25519');
  Object.assign(vaulted, { AUTHPLANE_VAULT_ADDR: vault.address, AUTHPLANE_VAULT_TOKEN: vault.root });
  fresh = await freshDatabase();
  opened = await openDatabase(fresh.connection);
});

beforeEach(async () => {
  clock = new StoppedClock();
  directory = mkdtempSync(join(tmpdir(), 'keys-'));
  booted = [];
  await opened.database.query('truncate signing_keys, revocations, audit_events, resources, clients cascade');
});

afterEach(async () => {
  await Promise.all(booted.map((module) => module.close()));
  rmSync(directory, { recursive: true, force: true });
});

afterAll(async () => {
  await opened.end();
  await fresh.drop();
  await vault.close();
});

async function boot(env: Env, options: Partial<KeyReplicaOptions> = {}): Promise<KeyReplica> {
  const { module, replica } = await startKeyReplica({
    env,
    connection: fresh.connection,
    clock,
    directory,
    ...options,
  });
  booted.push(module);
  return replica;
}

function claims(ttlSeconds = 900): Record<string, unknown> {
  const iat = Math.floor(clock.millis / 1000);
  return { iss: 'http://localhost:9000', sub: 'somebody', iat, exp: iat + ttlSeconds };
}

const header = { typ: 'at+jwt' };
const published = ({ keys }: KeyReplica): (string | undefined)[] => keys.jwks().keys.map(({ kid }) => kid);
const kidsOf = async ({ keys }: KeyReplica) => Object.fromEntries((await keys.list()).map((key) => [key.kid, key]));

describe.each([
  { store: 'keyfile', env: keyfile },
  { store: 'postgres_key', env: sealed },
  { store: 'vault_transit', env: vaulted },
])('signing keys in $store', ({ store, env }) => {
  it('makes one key when three replicas boot for the first time at once', async () => {
    const replicas = await Promise.all([boot(env), boot(env), boot(env)]);
    const kids = new Set(replicas.map(({ keys }) => keys.activeKid()));
    expect(kids.size).toBe(1);
    expect(await replicas[0]?.keys.list()).toHaveLength(1);
    expect(await replicas[0]?.database.query('select action, detail from audit_events')).toEqual([
      { action: 'key.created', detail: { kid: [...kids][0] } },
    ]);
  });

  it('signs tokens that name the key and verify on another replica', async () => {
    const [one, other] = [await boot(env), await boot(env)];
    const { jwt, kid } = await one.keys.sign(header, claims());
    expect(kid).toBe(one.keys.activeKid());
    expect(await other.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
  });

  it('does not verify another type, an expired token, or one of a stranger that borrows the kid', async () => {
    const { keys } = await boot(env);
    const { jwt, kid } = await keys.sign(header, claims(60));
    const stranger = await importPrivate((await generateSigningKey('ES256')).privatePem, 'ES256');
    const forged = await signJwt({ ...stranger, kid }, header.typ, claims());
    expect(await keys.verifyOwn(jwt, 'JWT')).toBeUndefined();
    expect(await keys.verifyOwn(forged, 'at+jwt')).toBeUndefined();
    expect(await keys.verifyOwn('nonsense', 'at+jwt')).toBeUndefined();
    clock.millis += 61 * seconds;
    expect(await keys.verifyOwn(jwt, 'at+jwt')).toBeUndefined();
  });

  it('publishes public keys only', async () => {
    const { keys } = await boot(env);
    const [jwk] = keys.jwks().keys;
    expect(Object.keys(jwk ?? {}).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    expect(await importJWK(jwk ?? {}, 'ES256')).toMatchObject({ type: 'public' });
  });

  it('rotates at once and keeps the old key published until its last token has expired', async () => {
    const replica = await boot(env);
    const old = replica.keys.activeKid();
    const { jwt } = await replica.keys.sign(header, claims());
    clock.millis += 1 * minutes;
    const { kid, alg } = await replica.keys.rotate();
    expect(alg).toBe('ES256');
    expect(replica.keys.activeKid()).toBe(kid);
    expect((await replica.keys.sign(header, claims())).kid).toBe(kid);
    expect(await replica.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
    clock.millis += tail - 1;
    expect(published(replica)).toEqual(expect.arrayContaining([old, kid]));
    clock.millis += 1;
    expect(published(replica)).toEqual([kid]);
  });

  it('keeps a retired key for tokens from before their lifetime was lowered', async () => {
    const generous = await boot({ ...env, AUTHPLANE_DCR_DEFAULT_TOKEN_EXPIRY: '24h' });
    const old = generous.keys.activeKid();
    const { jwt } = await generous.keys.sign(header, claims(86_400));
    const replica = await boot({ ...env, AUTHPLANE_DCR_DEFAULT_TOKEN_EXPIRY: '5m' });
    await replica.keys.rotate();
    clock.millis += 86_399 * seconds;
    expect(await replica.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
    expect(published(replica)).toContain(old);
  });

  it('publishes a scheduled key at once and signs with it from its time on, on every replica', async () => {
    const [one, other] = [await boot(env), await boot(env)];
    const old = one.keys.activeKid();
    const { kid } = await one.keys.rotate({ activateAfterSeconds: 600 });
    expect(one.keys.activeKid()).toBe(old);
    expect(published(one)).toEqual(expect.arrayContaining([old, kid]));
    clock.millis += 5 * seconds;
    expect((await other.keys.sign(header, claims())).kid).toBe(old);
    expect(published(other)).toEqual(expect.arrayContaining([old, kid]));
    clock.millis += 595 * seconds;
    expect((await one.keys.sign(header, claims())).kid).toBe(kid);
    expect((await other.keys.sign(header, claims())).kid).toBe(kid);
    expect((await kidsOf(one))[old]).toMatchObject({
      status: 'retired',
      publishedUntil: new Date(clock.millis + tail),
    });
  });

  it('rotates by itself when a key has signed for its interval, once, and announces the next one before it signs', async () => {
    const replicas = [await boot(env), await boot(env)];
    const [one, other] = replicas as [KeyReplica, KeyReplica];
    const old = one.keys.activeKid();
    clock.millis += 90 * 86_400 * seconds - 1;
    for (const { rotation } of replicas) await rotation.run();
    expect(await one.keys.list()).toHaveLength(1);
    clock.millis += 1;
    await Promise.all([one, other, one, other].map(({ rotation }) => rotation.run()));
    const listed = await other.keys.list();
    expect(listed.map(({ status }) => status)).toEqual(['pending', 'active']);
    const next = listed[0]?.kid ?? '';
    expect(published(one)).toEqual(expect.arrayContaining([old, next]));
    expect((await other.keys.sign(header, claims())).kid).toBe(old);
    clock.millis += 600 * seconds;
    expect((await one.keys.sign(header, claims())).kid).toBe(next);
    await one.rotation.run();
    expect(await one.keys.list()).toHaveLength(2);
  });

  it('does not rotate by itself where the interval is 0', async () => {
    const replica = await boot({ ...env, AUTHPLANE_SIGNING_ROTATION_INTERVAL: '0' });
    clock.millis += 400 * 86_400 * seconds;
    await replica.rotation.run();
    expect(await replica.keys.list()).toHaveLength(1);
  });

  it('drops a waiting key when another rotation comes first', async () => {
    const replica = await boot(env);
    const waiting = await replica.keys.rotate({ activateAfterSeconds: 600 });
    const { kid } = await replica.keys.rotate();
    clock.millis += tail;
    expect((await replica.keys.sign(header, claims())).kid).toBe(kid);
    expect((await kidsOf(replica))[waiting.kid]?.status).toBe('retired');
    expect(published(replica)).toEqual([kid]);
  });

  it('tells other replicas of a rotation and of a revocation within five seconds', async () => {
    const [one, other] = [await boot(env), await boot(env)];
    const old = one.keys.activeKid();
    const { jwt } = await one.keys.sign(header, claims());
    const { kid } = await one.keys.rotate();
    clock.millis += 5 * seconds;
    expect((await other.keys.sign(header, claims())).kid).toBe(kid);
    expect(await other.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
    await one.keys.revoke(old);
    clock.millis += 5 * seconds;
    expect(await other.keys.verifyOwn(jwt, 'at+jwt')).toBeUndefined();
    expect(published(other)).toEqual([kid]);
  });

  it('ends with one active key when replicas rotate at the same time', async () => {
    const replicas = [await boot(env), await boot(env)];
    const made = await Promise.all(replicas.flatMap(({ keys }) => [keys.rotate(), keys.rotate(), keys.rotate()]));
    clock.millis += 5 * seconds;
    const signed = await Promise.all(replicas.map(({ keys }) => keys.sign(header, claims())));
    expect(new Set(signed.map(({ kid }) => kid)).size).toBe(1);
    expect(made.map(({ kid }) => kid)).toContain(signed[0]?.kid);
    const views = await replicas[0]!.keys.list();
    expect(views.map(({ status }) => status).toSorted()).toEqual(['active', ...Array<string>(6).fill('retired')]);
    expect(published(replicas[0]!)).toHaveLength(7);
  });

  it('revokes a retired key: out of the JWKS at once, its tokens dead, the fact on record', async () => {
    const replica = await boot(env);
    const old = replica.keys.activeKid();
    const { jwt } = await replica.keys.sign(header, claims());
    const { kid } = await replica.keys.rotate();
    expect(await replica.keys.revoke(old)).toBe(true);
    expect(published(replica)).toEqual([kid]);
    expect(await replica.keys.verifyOwn(jwt, 'at+jwt')).toBeUndefined();
    expect(await replica.database.query('select kind, id, at, expires_at from revocations')).toEqual([
      { kind: 'key', id: old, at: clock.now(), expires_at: new Date(clock.millis + tail) },
    ]);
    const facts = await replica.database.query(
      `select detail->>'kid' as kid from audit_events where action = 'key.revoked'`,
    );
    expect(facts).toEqual([{ kid: old }]);
  });

  it('makes another key, once, when the one that signs is forgotten while replicas run', async () => {
    const [one, other] = [await boot(env), await boot(env)];
    const retired = one.keys.activeKid();
    clock.millis += minutes;
    const lost = (await one.keys.rotate()).kid;
    await one.database.query('update signing_keys set revoked_at = $2 where kid = $1', [lost, clock.now()]);
    clock.millis += 5 * seconds;
    const signed = await Promise.all([one, other, one, other].map(({ keys }) => keys.sign(header, claims())));
    const [{ kid } = { kid: '' }] = signed;
    expect(signed.map((each) => each.kid)).toEqual(Array(4).fill(kid));
    expect([retired, lost]).not.toContain(kid);
    const statuses = (await other.keys.list()).map((key) => [key.kid, key.status]);
    expect(Object.fromEntries(statuses)).toEqual({ [kid]: 'active', [lost]: 'revoked', [retired]: 'retired' });
    expect(published(other)).toEqual(expect.arrayContaining([retired, kid]));
    expect(published(other)).not.toContain(lost);
  });

  it('makes no second one where the clock of the replica that made it is ahead', async () => {
    const one = await boot(env);
    const retired = one.keys.activeKid();
    clock.millis += minutes;
    const ahead = new StoppedClock();
    ahead.millis = clock.millis + 2 * minutes;
    const other = await boot(env, { clock: ahead });
    const lost = (await one.keys.rotate()).kid;
    await one.database.query('update signing_keys set revoked_at = $2 where kid = $1', [lost, clock.now()]);
    clock.millis += 5 * seconds;
    ahead.millis += 5 * seconds;
    const { kid } = await other.keys.sign(header, claims());
    expect((await one.keys.sign(header, claims())).kid).toBe(kid);
    expect(await kidsOf(one)).toMatchObject({ [kid]: { status: 'active' }, [retired]: { status: 'retired' } });
  });

  it('makes a new key before it revokes the active one', async () => {
    const replica = await boot(env);
    const old = replica.keys.activeKid();
    await replica.keys.rotate({ activateAfterSeconds: 600 });
    expect(await replica.keys.revoke(old)).toBe(true);
    const { kid } = await replica.keys.sign(header, claims());
    expect(kid).not.toBe(old);
    expect(published(replica)).toEqual([kid]);
    const actions = await replica.database.query<{ action: string }>('select action from audit_events order by action');
    expect(actions.map(({ action }) => action)).toEqual(['key.created', 'key.revoked', 'key.rotated', 'key.rotated']);
  });

  it('goes on with the active key when the one that was to follow is revoked', async () => {
    const replica = await boot(env);
    const old = replica.keys.activeKid();
    const waiting = await replica.keys.rotate({ activateAfterSeconds: 600 });
    await replica.keys.revoke(waiting.kid);
    clock.millis += 3600 * seconds;
    expect((await replica.keys.sign(header, claims())).kid).toBe(old);
    expect(published(replica)).toEqual([old]);
    expect((await kidsOf(replica))[old]?.retiredAt).toBeUndefined();
  });

  it('says that there is nothing to revoke for an unknown or revoked key', async () => {
    const { keys } = await boot(env);
    const old = keys.activeKid();
    expect(await keys.revoke('unknown')).toBe(false);
    expect(await keys.revoke(old)).toBe(true);
    expect(await keys.revoke(old)).toBe(false);
  });

  it('signs with the same key after a restart, and with the new algorithm after the next rotation', async () => {
    const before = await boot(env);
    const { jwt, kid } = await before.keys.sign(header, claims());
    const after = await boot({
      ...env,
      AUTHPLANE_SIGNING_ALGORITHM: 'EdDSA',
      AUTHPLANE_VAULT_TRANSIT_KEY_NAME: 'edwards',
    });
    expect((await after.keys.sign(header, claims())).kid).toBe(kid);
    expect(await after.keys.rotate()).toMatchObject({ alg: 'EdDSA' });
    const { jwt: newer } = await after.keys.sign(header, claims());
    expect(await after.keys.verifyOwn(newer, 'at+jwt')).toMatchObject({ sub: 'somebody' });
    expect(await after.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
  });

  it('refuses to boot on a machine that cannot get at the private key, and makes no second one', async () => {
    const first = await boot(env);
    const elsewhere: Env = {
      ...env,
      AUTHPLANE_SIGNING_KEY_PATH: join(directory, 'elsewhere'),
      MASTER: '22'.repeat(32),
      AUTHPLANE_VAULT_TOKEN: 'hvs.wrong',
    };
    const kid = first.keys.activeKid();
    const problem = {
      keyfile: `the private key of the signing key ${kid} is not in ${join(directory, 'elsewhere')}`,
      postgres_key: `the private key of the signing key ${kid} does not open`,
      vault_transit: 'signing needs Vault: permission denied',
    };
    await expect(boot(elsewhere)).rejects.toThrow(problem[store as keyof typeof problem]);
    expect(await first.keys.list()).toHaveLength(1);
  });

  it('goes on with what it knows while the database is away, and changes nothing', async () => {
    const { connection, cut } = await cuttable(fresh.connection, directory);
    const replica = await boot(env, { connection });
    const kid = replica.keys.activeKid();
    await cut();
    clock.millis += 5 * seconds;
    const { jwt } = await replica.keys.sign(header, claims());
    expect(await replica.keys.verifyOwn(jwt, 'at+jwt')).toMatchObject({ sub: 'somebody' });
    expect(published(replica)).toEqual([kid]);
    await expect(replica.keys.rotate()).rejects.toMatchObject({ name: 'DatabaseAway' });
    expect(replica.keys.activeKid()).toBe(kid);
  });

  it('calls no token of a key made a moment ago a wrong one while the database is away', async () => {
    const { connection, cut } = await cuttable(fresh.connection, directory);
    const [one, other] = [await boot(env), await boot(env, { connection })];
    await one.keys.rotate();
    const { jwt } = await one.keys.sign(header, claims());
    await cut();
    await expect(other.keys.verifyOwn(jwt, 'at+jwt')).rejects.toSatisfy(isDatabaseAway);
    clock.millis += 5 * seconds;
    await expect(other.keys.verifyOwn(jwt, 'at+jwt')).rejects.toSatisfy(isDatabaseAway);
  });
});

describe('where private keys lie', () => {
  it('keeps key files for the owner alone and nothing of them in the database', async () => {
    const { keys, database } = await boot(keyfile);
    const folder = join(directory, 'data/keys');
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(readdirSync(folder)).toEqual([`${keys.activeKid()}.pem`]);
    expect(statSync(join(folder, `${keys.activeKid()}.pem`)).mode & 0o777).toBe(0o600);
    expect(await database.query('select sealed_private_key from signing_keys')).toEqual([{ sealed_private_key: null }]);
  });

  it('keeps sealed keys in their row, not openable as the key of another row', async () => {
    const { keys, database } = await boot(sealed);
    const [row] = await database.query<{ kept: string }>('select sealed_private_key as kept from signing_keys');
    expect(row?.kept).toMatch(/^v1\.[0-9a-f]{8}\.[\w-]+$/);
    const { kid } = await keys.rotate();
    await database.query('update signing_keys set sealed_private_key = $1 where kid = $2', [row?.kept, kid]);
    await expect(boot(sealed)).rejects.toThrow('does not open');
  });

  it('opens with the former master key what was sealed before the change', async () => {
    const kid = (await boot(sealed)).keys.activeKid();
    const yamlPath = join(directory, 'authplane.yaml');
    writeFileSync(yamlPath, 'data_encryption: { aes_master: { old_key_env: OLD_MASTER } }');
    const { keys } = await boot({ ...sealed, MASTER: '33'.repeat(32), OLD_MASTER: sealed.MASTER }, { yamlPath });
    expect((await keys.sign(header, claims())).kid).toBe(kid);
  });
});
