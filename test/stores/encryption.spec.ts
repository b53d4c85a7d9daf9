import { Logger } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { OAuthError } from '#libs/oauth';
import { SealBroken } from '#libs/vault';
import { AesMaster } from '../../src/encryption/aes-master.js';
import { ByEnvelope } from '../../src/encryption/by-envelope.js';
import type { Encryption } from '../../src/encryption/encryption.js';
import { sealingKeyOf } from '../../src/encryption/envelope.js';
import { startVaultServer, type VaultServer, type VaultState } from '../vault-transit-server.js';
import { StoppedClock, vaultDriver } from '../vault.js';

const master = 'ab'.repeat(32);
const secret = Buffer.from('a refresh token of a stranger');
const context = 'connection-credential:user-1/provider-1/row-1';
const base64 = /[A-Za-z0-9+/_-]/;

let vault: VaultServer;
let logged: string[];

beforeAll(async () => {
  vault = await startVaultServer();
});
afterAll(() => vault?.close());
beforeEach(() => {
  logged = [];
  for (const level of ['warn', 'log'] as const)
    vi.spyOn(Logger.prototype, level).mockImplementation((line: unknown) => void logged.push(JSON.stringify(line)));
});
afterEach(() => {
  vault.state = 'open';
  vi.restoreAllMocks();
});

const reasonOf = async (work: Promise<unknown>): Promise<unknown> => {
  const error: unknown = await work.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return error instanceof OAuthError ? error.reason : error;
};

/** A real server, while developing: TEST_VAULT_ADDRESS and TEST_VAULT_TOKEN, with a key `authplane` in `transit`. */
const { TEST_VAULT_ADDRESS: realAddress, TEST_VAULT_TOKEN: realToken } = process.env;
const real = realAddress ? [['vault_transit_encrypt, real', () => realVault()] as const] : [];
const realVault = (): Encryption => vaultDriver({ address: realAddress ?? '', root: realToken ?? '' }).driver;

describe.each<readonly [string, () => Encryption]>([
  ['aes_master', () => new AesMaster(master)],
  ['vault_transit_encrypt', () => vaultDriver(vault).driver],
  ...real,
])('%s', (_name, make) => {
  it('opens what it sealed, also in another process', async () => {
    const sealed = await make().seal(secret, context);
    expect(await make().open(sealed, context)).toEqual(secret);
    expect(await make().open(await make().seal(Buffer.alloc(0), context), context)).toEqual(Buffer.alloc(0));
  });

  it('shows nothing of the plaintext, and seals differently each time', async () => {
    const [one, other] = [await make().seal(secret, context), await make().seal(secret, context)];
    expect(one).not.toBe(other);
    for (const form of [secret.toString(), secret.toString('base64'), secret.toString('base64url')])
      expect(one).not.toContain(form);
  });

  it.each([
    ['another row', 'connection-credential:user-1/provider-1/row-2'],
    ['another person', 'connection-credential:user-2/provider-1/row-1'],
    ['another provider', 'connection-credential:user-1/provider-2/row-1'],
    ['another purpose', 'connection-access-token:user-1/provider-1/row-1'],
    ['nothing', ''],
  ])('does not open what was moved to %s', async (_where, other) => {
    const driver = make();
    const sealed = await driver.seal(secret, context);
    await expect(driver.open(sealed, other)).rejects.toThrow(SealBroken);
  });

  it('does not open after any character of the sealed bytes was changed, or when it was cut', async () => {
    const driver = make();
    const sealed = await driver.seal(Buffer.from('short'), context);
    const start = (sealingKeyOf(sealed)?.prefix ?? '').length;
    for (let at = start; at < sealed.length; at++) {
      if (!base64.test(sealed[at] ?? '')) continue;
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'Q' : 'A'}${sealed.slice(at + 1)}`;
      await expect(driver.open(changed, context), changed).rejects.toThrow(SealBroken);
    }
    for (const cut of [sealed.slice(0, start + 8), sealed.slice(0, start), '', 'plain text'])
      await expect(driver.open(cut, context)).rejects.toThrow(SealBroken);
  });

  it('names in the envelope the key that is in force', async () => {
    const driver = make();
    const key = await driver.keyInForce();
    const sealed = await driver.seal(secret, context);
    expect(sealed.startsWith(key.prefix)).toBe(true);
    expect(sealingKeyOf(sealed)).toEqual({ ...key, driver: driver.driver });
    expect(key.id).toMatch(new RegExp(`^${driver.driver}/`));
  });
});

describe('a change of the driver', () => {
  const bytes = (text: string): Buffer => Buffer.from(text);

  it('opens what the former one sealed and seals with the new one, there and back', async () => {
    const [aes, { driver: transit }] = [new AesMaster(master), vaultDriver(vault)];
    const before = await aes.seal(bytes('before'), context);
    const toVault = new ByEnvelope(transit, [aes]);
    const after = await toVault.seal(bytes('after'), context);
    expect(sealingKeyOf(after)?.id).toBe('vault_transit_encrypt/authplane/v1');
    expect(await toVault.open(before, context)).toEqual(bytes('before'));
    expect(await new ByEnvelope(aes, [transit]).open(after, context)).toEqual(bytes('after'));
  });

  it('does not open what a driver sealed that is no longer configured, and tells the operator once which', async () => {
    const [aes, { driver: transit }] = [new AesMaster(master), vaultDriver(vault)];
    const sealed = await transit.seal(secret, context);
    const alone = new ByEnvelope(aes, []);
    await expect(alone.open(sealed, context)).rejects.toThrow(SealBroken);
    await expect(alone.open(sealed, context)).rejects.toThrow(SealBroken);
    expect(logged).toEqual([expect.stringContaining('data_encryption.vault_transit_encrypt is set, too')]);
  });

  it('does not open what one driver sealed in the envelope of the other', async () => {
    const [aes, { driver: transit }] = [new AesMaster(master), vaultDriver(vault)];
    const both = new ByEnvelope(aes, [transit]);
    const [byAes, byVault] = [await aes.seal(secret, context), await transit.seal(secret, context)];
    await expect(both.open(byAes.replace(/^v1\.\w+\./, 'vt1.authplane.vault:v1:'), context)).rejects.toThrow(
      SealBroken,
    );
    await expect(both.open(byVault.replace(/^.*:/, (await aes.keyInForce()).prefix), context)).rejects.toThrow(
      SealBroken,
    );
  });
});

describe('Transit', () => {
  it('seals under the new version after a rotation, and opens both', async () => {
    const own = await startVaultServer();
    const { driver } = vaultDriver(own);
    const before = await driver.seal(secret, context);
    own.rotate('authplane');
    const after = await driver.seal(secret, context);
    expect([before, after].map((sealed) => sealingKeyOf(sealed)?.id)).toEqual([
      'vault_transit_encrypt/authplane/v1',
      'vault_transit_encrypt/authplane/v2',
    ]);
    expect(await driver.open(before, context)).toEqual(secret);
    own.raiseMinimum('authplane', 2);
    await expect(driver.open(before, context)).rejects.toThrow(SealBroken);
    expect(await driver.open(after, context)).toEqual(secret);
    await own.close();
  });

  it('binds the context although the server ignores associated data', async () => {
    const old = await startVaultServer({ ignoresAssociatedData: true });
    const { driver } = vaultDriver(old);
    const sealed = await driver.seal(secret, context);
    expect(await driver.open(sealed, context)).toEqual(secret);
    await expect(driver.open(sealed, context.replace('row-1', 'row-2'))).rejects.toThrow(SealBroken);
    await old.close();
  });

  it('lets Vault itself bind the context: without it, or with another, Vault does not open', async () => {
    const sealed = await vaultDriver(vault).driver.seal(secret, context);
    const decrypt = async (associated: string | undefined): Promise<number> => {
      const { status } = await fetch(`${vault.address}/v1/transit/decrypt/authplane`, {
        method: 'POST',
        headers: { 'x-vault-token': vault.root },
        body: JSON.stringify({
          ciphertext: sealed.replace('vt1.authplane.', ''),
          associated_data: associated && Buffer.from(associated).toString('base64'),
        }),
      });
      return status;
    };
    expect(await Promise.all([context, `${context}0`, undefined].map(decrypt))).toEqual([200, 400, 400]);
  });

  it('does not ask Vault for a key that a row names', async () => {
    const { driver } = vaultDriver(vault);
    const sealed = await driver.seal(secret, context);
    const asked = vault.calls.length;
    await expect(driver.open(sealed.replace('.authplane.', '.payments1.'), context)).rejects.toThrow(SealBroken);
    expect(vault.calls.length).toBe(asked);
  });

  it.each<[VaultState, string]>([
    ['sealed', 'sealed'],
    ['redirecting', 'redirect'],
    ['huge', 'too_large'],
    ['garbled', 'cannot be read'],
    ['cut', 'connect'],
    ['broken', '500'],
    ['silent', 'timeout'],
  ])('that is %s is unavailable, and says nothing about the value', async (state, problem) => {
    const { driver } = vaultDriver(vault, { timeoutMillis: state === 'silent' ? 750 : 5_000 });
    const sealed = await driver.seal(secret, context);
    vault.state = state;
    expect(await reasonOf(driver.open(sealed, context))).toBe('vault_unavailable');
    expect(await reasonOf(driver.seal(secret, context))).toBe('vault_unavailable');
    expect(await reasonOf(driver.keyInForce())).toBe('vault_unavailable');
    expect(logged).toEqual([expect.stringContaining(problem)]);
    vault.state = 'open';
    expect(await driver.open(sealed, context)).toEqual(secret);
    expect(logged).toHaveLength(2);
  });

  it('that listens nowhere is unavailable', async () => {
    const gone = await startVaultServer();
    const { driver } = vaultDriver(gone);
    await gone.close();
    expect(await reasonOf(driver.seal(secret, context))).toBe('vault_unavailable');
  });

  it.each([
    ['a key that is not there', { keyName: 'nobody' }],
    ['a mount that is not there', { mountPath: 'elsewhere' }],
    ['a token that is none', { auth: { token: 'hvs.wrong' } }],
  ])('with %s is unavailable: a value is not called broken for it', async (_what, options) => {
    const sealed = (await vaultDriver(vault).driver.seal(secret, context)).replace(
      '.authplane.',
      `.${'keyName' in options ? options.keyName : 'authplane'}.`,
    );
    const { driver } = vaultDriver(vault, options);
    expect(await reasonOf(driver.seal(secret, context))).toBe('vault_unavailable');
    expect(await reasonOf(driver.open(sealed, context))).toBe('vault_unavailable');
  });

  it('refuses to seal what it could not read back', async () => {
    await expect(vaultDriver(vault).driver.seal(Buffer.alloc(40_000), context)).rejects.toThrow(RangeError);
    const long = Buffer.alloc(32 * 1024, 7);
    const { driver } = vaultDriver(vault);
    expect((await driver.open(await driver.seal(long, context), context)).equals(long)).toBe(true);
  });

  it('serves two hundred at once, a few at a time', async () => {
    const { driver } = vaultDriver(vault);
    const all = Array.from({ length: 200 }, (_, index) => Buffer.from(`value ${index}`));
    const sealed = await Promise.all(all.map((value) => driver.seal(value, context)));
    expect(await Promise.all(sealed.map((value) => driver.open(value, context)))).toEqual(all);
  });
});

describe('the token of Vault', () => {
  let clock: StoppedClock;
  let own: VaultServer;
  beforeEach(async () => {
    clock = new StoppedClock();
    own = await startVaultServer({ now: () => clock.millis, lease: 600 });
  });
  afterEach(() => own.close());

  const logins = (): number => own.calls.filter((call) => call === 'auth/approle/login').length;
  const renewals = (): number => own.calls.filter((call) => call === 'auth/token/renew-self').length;
  const approle = () => vaultDriver(own, { auth: { ...own.role, mountPath: 'approle' }, clock });

  it('of an AppRole is had by one login for everybody, and by another one at half of its lease', async () => {
    const { driver, login } = approle();
    await Promise.all(Array.from({ length: 10 }, () => driver.seal(secret, context)));
    expect(logins()).toBe(1);
    clock.advance(299);
    await login.keepAlive();
    expect(logins()).toBe(1);
    clock.advance(1);
    await login.keepAlive();
    expect(logins()).toBe(2);
    clock.advance(301); // past the first lease
    await driver.seal(secret, context);
    expect(logins()).toBe(2);
  });

  it('is not renewed oftener than every ten seconds, however short its lease', async () => {
    const short = await startVaultServer({ now: () => clock.millis, lease: 4 });
    const { driver, login } = vaultDriver(short, { auth: { ...short.role, mountPath: 'approle' }, clock });
    await driver.seal(secret, context);
    const logIns = (): number => short.calls.filter((call) => call === 'auth/approle/login').length;
    clock.advance(9);
    await login.keepAlive();
    expect(logIns()).toBe(1);
    clock.advance(1);
    await login.keepAlive();
    expect(logIns()).toBe(2);
    await short.close();
  });

  it('that was ended is replaced by one more login, and the call is made again', async () => {
    const { driver } = approle();
    const sealed = await driver.seal(secret, context);
    clock.advance(5);
    own.endTokens();
    const opened = await Promise.all(Array.from({ length: 10 }, () => driver.open(sealed, context)));
    expect(opened.every((value) => value.equals(secret))).toBe(true);
    expect(logins()).toBe(2);
  });

  it('is not asked for again and again where the right is missing', async () => {
    const { driver } = vaultDriver(own, { auth: { ...own.role, mountPath: 'approle' }, clock, keyName: 'forbidden' });
    for (let count = 0; count < 5; count++)
      expect(await reasonOf(driver.seal(secret, context))).toBe('vault_unavailable');
    expect(logins()).toBe(1);
  });

  it('goes on when its renewal fails, with one line in the log, and is renewed when Vault is back', async () => {
    const { driver, login } = approle();
    const sealed = await driver.seal(secret, context);
    clock.advance(300);
    own.state = 'broken';
    for (let count = 0; count < 5; count++) {
      await login.keepAlive();
      clock.advance(11);
    }
    expect(logged.filter((line) => line.includes('vault token renewal failed'))).toHaveLength(1);
    own.state = 'open';
    expect(await driver.open(sealed, context)).toEqual(secret); // 355 s after the login: the last token still holds
    expect(logins()).toBe(1);
    await login.keepAlive();
    expect(logins()).toBe(2);
    expect(logged.some((line) => line.includes('renewed again'))).toBe(true);
  });

  it('from the environment is renewed at half of its lease while it is renewable', async () => {
    const { driver, login } = vaultDriver(own, { auth: { token: own.issue(100, true) }, clock });
    await login.keepAlive();
    for (let count = 0; count < 10; count++) {
      clock.advance(50);
      await login.keepAlive();
    }
    expect(renewals()).toBe(11);
    expect(await driver.open(await driver.seal(secret, context), context)).toEqual(secret);
  });

  it('from the environment that is not renewable is used until it ends, and not asked to be renewed', async () => {
    const { driver, login } = vaultDriver(own, { auth: { token: own.issue(100, false) }, clock });
    for (let count = 0; count < 5; count++) {
      await login.keepAlive();
      clock.advance(19);
    }
    expect(renewals()).toBe(1);
    expect(logged).toEqual([]);
    await driver.seal(secret, context);
    clock.advance(6);
    expect(await reasonOf(driver.seal(secret, context))).toBe('vault_unavailable');
  });

  it('and the secret id are in no line of the log and in no error', async () => {
    const { driver, login } = approle();
    await driver.seal(secret, context);
    const errors: string[] = [];
    for (const state of ['sealed', 'huge', 'garbled', 'cut', 'broken', 'redirecting'] as const) {
      own.state = state;
      clock.advance(400);
      await login.keepAlive();
      await driver.seal(secret, context).catch((error: Error) => {
        const { facts } = error as OAuthError;
        errors.push(`${error.stack} ${JSON.stringify(facts)} ${String(error.cause)}`);
      });
    }
    expect(errors).toHaveLength(6);
    for (const planted of [...own.secrets, secret.toString('base64'), secret.toString()])
      expect([...logged, ...errors].filter((line) => line.includes(planted))).toEqual([]);
  });
});
