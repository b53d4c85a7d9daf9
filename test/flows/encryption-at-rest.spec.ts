import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SettableClock, startTestApp, type TestApp } from '../app.js';
import { aFlow, tokensOf } from '../builders.js';
import { CommandLine } from '../command-line.js';
import { freshDatabase } from '../postgres.js';
import { startVaultServer, type VaultServer } from '../vault-transit-server.js';

let vault: VaultServer;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let app: TestApp;

beforeAll(async () => {
  vault = await startVaultServer();
  database = await freshDatabase();
});
afterEach(async () => {
  vault.state = 'open';
  vault.namespace = undefined;
  await app?.close();
});
afterAll(async () => {
  await vault?.close();
  await database?.drop();
});

const byMaster = {
  SIGNING_KEY_STORE: 'postgres_key',
  DATA_ENCRYPTION_DRIVER: 'aes_master',
  DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_TEST_MASTER',
  TEST_MASTER: 'ab'.repeat(32),
};
const byVault = () => ({
  SIGNING_KEY_STORE: 'postgres_key',
  DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
  DATA_ENCRYPTION_VAULT_ADDRESS: vault.address,
  DATA_ENCRYPTION_VAULT_KEY_NAME: 'authplane',
  DATA_ENCRYPTION_VAULT_AUTH_METHOD: 'approle',
  DATA_ENCRYPTION_VAULT_ROLE_ID_ENV: 'AUTHPLANE_TEST_ROLE_ID',
  DATA_ENCRYPTION_VAULT_SECRET_ID_ENV: 'AUTHPLANE_TEST_SECRET_ID',
  TEST_ROLE_ID: vault.role.roleId,
  TEST_SECRET_ID: vault.role.secretId,
});

const start = async (settings: Record<string, string>, clock?: SettableClock): Promise<TestApp> =>
  (app = await startTestApp({ settings, connection: database.connection, ...(clock ? { clock } : {}) }));
const ready = async (): Promise<Record<string, unknown>> =>
  (await (await fetch(`${app.url}/ready`)).json()) as Record<string, unknown>;
const signsTokens = async (): Promise<boolean> => {
  const { tokens } = await tokensOf(await aFlow(app));
  return tokens.access_token.split('.').length === 3;
};

describe('encryption at rest', () => {
  it('tells the operator which key seals and what each key has sealed', async () => {
    await start(byMaster);
    const { status, body } = await app.admin('GET', '/admin/encryption');
    expect(status).toBe(200);
    expect(body).toMatchObject({
      driver: 'aes_master',
      status: 'ok',
      key: expect.stringMatching(/^aes_master\/\w{8}$/),
    });
    expect(body.values['signing_keys.sealed_private_key']).toEqual({ [body.key]: 1 });
    expect(await ready()).toMatchObject({ status: 'ok', encryption: 'ok' });
    const { subsystems } = (await app.admin('GET', '/admin/system/status')).body;
    expect(subsystems).toContainEqual({ name: 'encryption', status: 'ok', driver: 'aes_master' });
  });

  it('changes its driver without a stop: the former opens, and the command moves everything to the new one', async () => {
    await start({ ...byMaster, ...byVault() });
    expect(await signsTokens()).toBe(true);
    await app.admin('POST', '/admin/keys/rotate');
    const before = (await app.admin('GET', '/admin/encryption')).body;
    expect(Object.values(before.values['signing_keys.sealed_private_key'])).toEqual([1, 1]);

    const operator = new CommandLine(app);
    const { code, stdout } = await operator.run(['--json', 'encryption', 'reencrypt', '--wait']);
    expect([code, JSON.parse(stdout)]).toEqual([
      0,
      expect.objectContaining({ key: 'vault_transit_encrypt/authplane/v1', state: 'finished' }),
    ]);
    const status = JSON.parse((await operator.run(['--json', 'encryption', 'status'])).stdout);
    expect(status.values['signing_keys.sealed_private_key']).toEqual({ 'vault_transit_encrypt/authplane/v1': 2 });
    expect(status.reencryption.columns).toContainEqual(
      expect.objectContaining({ column: 'signing_keys.sealed_private_key', moved: 1, unreadable: 0, done: true }),
    );
    operator.close();
  });

  it('needs the former key no more after that', async () => {
    await start(byVault());
    expect(await signsTokens()).toBe(true);
  });

  it('without Vault refuses what it would have to seal with 503, changes nothing, and serves everything else', async () => {
    const clock = new SettableClock();
    await start(byVault(), clock);
    const { keys } = (await app.admin('GET', '/admin/keys')).body;
    vault.state = 'sealed';
    clock.advance(6);
    expect((await app.admin('POST', '/admin/keys/rotate')).status).toBe(503);
    expect((await app.admin('POST', '/admin/encryption/reencryption')).status).toBe(503);
    expect((await app.admin('GET', '/admin/keys')).body.keys).toEqual(keys);
    expect(await signsTokens()).toBe(true);
    expect(await ready()).toMatchObject({ status: 'degraded', encryption: 'down' });
    const { body } = await app.admin('GET', '/admin/encryption');
    expect(body).toMatchObject({ status: 'down', problem: 'sealed, or not ready' });
    const operator = new CommandLine(app);
    expect((await operator.run(['encryption', 'reencrypt'])).code).toBe(1);
    operator.close();

    vault.state = 'open';
    clock.advance(6);
    expect((await app.admin('POST', '/admin/keys/rotate')).status).toBe(200);
    expect(await ready()).toMatchObject({ status: 'ok', encryption: 'ok' });
  });

  it('asks Vault once in five seconds however often readiness is asked for', async () => {
    await start(byVault(), new SettableClock());
    await ready();
    const asked = vault.calls.length;
    await Promise.all(Array.from({ length: 20 }, ready));
    expect(vault.calls.length).toBe(asked);
  });

  it('tells at boot that a value was sealed by a key that is not configured', async () => {
    const settings = { ...byMaster, SIGNING_KEY_STORE: 'keyfile' };
    const before = await startTestApp({ settings });
    const missing = (await before.admin('GET', '/admin/encryption')).body.key;
    const config_data = { preset: 'github', client_id: 'us', client_secret: 'sealed-by-the-former-key' };
    await before.admin('POST', '/admin/broker-providers', { slug: 'github', protocol: 'oauth', config_data });
    app = await startTestApp({ beside: before, settings: { ...settings, TEST_MASTER: 'cd'.repeat(32) } });
    expect(app.logged).toContainEqual(
      expect.stringMatching(new RegExp(`^broker_providers.sealed_secret holds values sealed by ${missing},`)),
    );
    expect(before.logged.filter((line) => line.includes('holds values sealed by'))).toEqual([]);
    await before.close();
  });

  it('that is off seals nothing, and says which setting is missing', async () => {
    app = await startTestApp();
    expect((await app.admin('GET', '/admin/encryption')).body).toMatchObject({ driver: '' });
    const { status, body } = await app.admin('POST', '/admin/encryption/reencryption');
    expect([status, body.code]).toEqual([409, 'encryption_off']);
    expect(body.detail).toContain('data_encryption.driver');
    expect(await ready()).not.toHaveProperty('encryption');
    expect((await app.admin('GET', '/admin/encryption/reencryption')).status).toBe(404);
  });

  it('shows neither token nor secret id nor master key in its log and answers', async () => {
    await start({ ...byMaster, ...byVault() });
    vault.state = 'broken';
    const answers = [
      await app.admin('POST', '/admin/keys/rotate'),
      await app.admin('GET', '/admin/encryption'),
      await app.admin('GET', '/admin/config'),
    ];
    const shown = [...app.logged, ...answers.map(({ body }) => JSON.stringify(body))];
    for (const planted of [...vault.secrets, byMaster.TEST_MASTER])
      expect(shown.filter((line) => line.includes(planted))).toEqual([]);
  });

  it('is by the key in the namespace that is named', async () => {
    vault.namespace = 'team/identity';
    const settings = { ...byVault(), DATA_ENCRYPTION_VAULT_NAMESPACE: 'team/identity' };
    app = await startTestApp({ settings });
    expect(await signsTokens()).toBe(true);
    vault.namespace = 'team';
    expect(await ready()).toMatchObject({ status: 'degraded' });
  });
});
