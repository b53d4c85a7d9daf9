import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SettableClock, startTestApp, type TestApp } from '../app.js';
import { aFlow, aGrantedCode, redeem, refresh, tokensOf, type Flow } from '../builders.js';
import { CommandLine } from '../command-line.js';
import { freshDatabase } from '../postgres.js';
import { startVaultServer, type VaultServer, type VaultState } from '../vault-transit-server.js';

let vault: VaultServer;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let clock: SettableClock;
let apps: TestApp[];

beforeAll(async () => {
  vault = await startVaultServer();
});
beforeEach(async () => {
  database = await freshDatabase();
  clock = new SettableClock();
  apps = [];
  vault.makeSigningKey('authserver-signing', 'ecdsa-p256');
  vault.calls.length = 0;
});
afterEach(async () => {
  vault.state = 'open';
  vault.namespace = undefined;
  vault.denied.clear();
  for (const app of apps.toReversed()) await app.close();
  await database.drop();
});
afterAll(() => vault?.close());

const byVault = (): Record<string, string> => ({
  SIGNING_KEY_STORE: 'vault_transit',
  VAULT_ADDR: vault.address,
  VAULT_APPROLE_ROLE_ID: vault.role.roleId,
  VAULT_APPROLE_SECRET_ID: vault.role.secretId,
  VAULT_TIMEOUT: '1s',
  CLIENT_CREDENTIALS_ENABLED: 'true',
  RATE_LIMIT_ENABLED: 'false',
});
const byRow = {
  SIGNING_KEY_STORE: 'postgres_key',
  DATA_ENCRYPTION_DRIVER: 'aes_master',
  DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_TEST_MASTER',
  TEST_MASTER: 'ab'.repeat(32),
};

async function start(settings: Record<string, string> = {}, beside?: TestApp): Promise<TestApp> {
  const all = { ...byVault(), ...settings };
  const app = await startTestApp({ settings: all, clock, connection: database.connection, ...(beside && { beside }) });
  apps.push(app);
  return app;
}

/** What a resource server makes of a token with nothing but the published keys. */
async function verified(app: TestApp, token: string): Promise<string> {
  const jwks = await (await fetch(`${app.url}/.well-known/jwks.json`)).json();
  const options = { issuer: app.issuer, typ: 'at+jwt', currentDate: clock.now() };
  await jwtVerify(token, createLocalJWKSet(jwks), options);
  return String(decodeProtectedHeader(token).kid);
}

/** A token for a code that the replica which has the issuer's name gave, had from `app`. */
async function tokenFrom(app: TestApp, flow: Flow): Promise<string> {
  const { status, body } = await redeem({ ...(await aGrantedCode(flow)), app });
  expect(status, JSON.stringify(body)).toBe(200);
  return body.access_token;
}

const statusesOf = async (app: TestApp): Promise<Record<string, string>> => {
  const { keys } = (await app.admin('GET', '/admin/keys')).body;
  return Object.fromEntries(keys.map(({ kid, status }: Record<string, string>) => [kid, status]));
};
const callsOf = (operation: string): number => vault.calls.filter((call) => call.endsWith(operation)).length;

describe('tokens signed by Vault', () => {
  it.each([
    ['ES256', 'ecdsa-p256'],
    ['RS256', 'rsa-2048'],
    ['EdDSA', 'ed25519'],
  ] as const)('verify for a stranger who has the JWKS: %s by a key of the type %s', async (algorithm, type) => {
    vault.makeSigningKey('tokens', type);
    const app = await start({ SIGNING_ALGORITHM: algorithm, VAULT_TRANSIT_KEY_NAME: 'tokens' });
    const { tokens } = await tokensOf(await aFlow(app));
    expect(await verified(app, tokens.access_token)).toBe(Object.keys(await statusesOf(app))[0]);
    expect(decodeProtectedHeader(tokens.access_token).alg).toBe(algorithm);
    const [row] = await app.sql('select sealed_private_key, transit_key from signing_keys');
    expect(row).toEqual({ sealed_private_key: null, transit_key: 'transit/tokens/1' });
  });

  it('come from the namespace that is named, and from no other', async () => {
    vault.namespace = 'team/identity';
    const app = await start({ VAULT_NAMESPACE: 'team/identity' });
    const { tokens } = await tokensOf(await aFlow(app));
    expect(await verified(app, tokens.access_token)).toBe(Object.keys(await statusesOf(app))[0]);
    for (const named of ['', 'team'])
      await expect(start({ VAULT_NAMESPACE: named })).rejects.toThrow('signing needs Vault: it refuses the AppRole');
  });

  it('of both replicas are signed by the next version after a rotation, and verify everywhere', async () => {
    const one = await start();
    const other = await start({}, one);
    const flow = await aFlow(one);
    const first = await tokensOf(flow);
    const { body } = await other.admin('POST', '/admin/keys/rotate');
    clock.advance(6);
    for (const app of [one, other]) {
      const token = await tokenFrom(app, flow);
      expect(await verified(app === one ? other : one, token)).toBe(body.kid);
    }
    expect(await verified(other, first.tokens.access_token)).not.toBe(body.kid);
    expect(callsOf('/rotate')).toBe(1);
  });

  it('die with the version that signed them, while the next one signs', async () => {
    const app = await start();
    const flow = await aFlow(app);
    const { tokens } = await tokensOf(flow);
    const old = await verified(app, tokens.access_token);
    expect((await app.admin('DELETE', `/admin/keys/${old}`)).status).toBe(204);
    await expect(verified(app, tokens.access_token)).rejects.toThrow('no applicable key');
    expect(await verified(app, (await tokensOf(flow)).tokens.access_token)).not.toBe(old);
  });

  it('take a version that somebody made in Vault at the next rotation, and make none then', async () => {
    const app = await start();
    vault.rotate('authserver-signing');
    const { tokens } = await tokensOf(await aFlow(app));
    const before = await verified(app, tokens.access_token);
    const { body } = await app.admin('POST', '/admin/keys/rotate');
    expect([callsOf('/rotate'), body.kid === before]).toEqual([0, false]);
    expect(await app.sql('select transit_key as at from signing_keys order by created_at, at')).toEqual(
      ['1', '2'].map((version) => ({ at: `transit/authserver-signing/${version}` })),
    );
  });

  it('change their algorithm with the key: another name, a restart, a rotation', async () => {
    const before = await start();
    const flow = await aFlow(before);
    const { tokens } = await tokensOf(flow);
    vault.makeSigningKey('rsa', 'rsa-2048');
    const app = await start({ SIGNING_ALGORITHM: 'RS256', VAULT_TRANSIT_KEY_NAME: 'rsa' }, before);
    const second = await tokenFrom(app, flow);
    expect(decodeProtectedHeader(second).alg).toBe('ES256');
    expect((await app.admin('POST', '/admin/keys/rotate')).body).toMatchObject({ alg: 'RS256' });
    const third = await tokenFrom(app, flow);
    expect(decodeProtectedHeader(third).alg).toBe('RS256');
    for (const token of [tokens.access_token, second, third]) await verified(app, token);
  });
});

describe('a change of the key store', () => {
  it.each([
    ['postgres_key', 'vault_transit'],
    ['vault_transit', 'postgres_key'],
  ])('from %s to %s goes without a stop: the former key signs until the next rotation', async (from, to) => {
    const before = await start({ ...byRow, SIGNING_KEY_STORE: from });
    const flow = await aFlow(before);
    const old = await verified(before, (await tokensOf(flow)).tokens.access_token);
    const app = await start({ ...byRow, SIGNING_KEY_STORE: to }, before);
    expect(app.logged).toContainEqual(
      expect.stringMatching(`made by signing.key_store ${from}, .* by ${to}: .*rotate`),
    );
    expect(await verified(before, await tokenFrom(app, flow))).toBe(old);
    const { kid } = (await app.admin('POST', '/admin/keys/rotate')).body;
    expect(await verified(app, await tokenFrom(app, flow))).toBe(kid);
    expect(await statusesOf(app)).toEqual({ [old]: 'retired', [kid]: 'active' });
    const again = await start({ ...byRow, SIGNING_KEY_STORE: to }, app);
    expect(again.logged.filter((line) => line.includes('made by signing.key_store'))).toEqual([]);
  });

  it('that leaves the former one out is told at start, with both ways on', async () => {
    const before = await start();
    const [kid] = Object.keys(await statusesOf(before));
    const withoutVault = { ...byRow, VAULT_ADDR: '', VAULT_APPROLE_ROLE_ID: '', VAULT_APPROLE_SECRET_ID: '' };
    await expect(start(withoutVault, before)).rejects.toThrow(
      `the private key of the signing key ${kid} lies in Vault, and signing.vault_transit is not set: keep the setting ` +
        `until another key signs, or, if it is lost, end it and its tokens with authserver forget-key --kid ${kid}`,
    );
  });

  it('leaves what lies sealed to re-encryption, and what lies in Vault alone', async () => {
    const before = await start({ ...byRow, SIGNING_KEY_STORE: 'postgres_key' });
    const app = await start({ ...byRow, SIGNING_KEY_STORE: 'vault_transit' }, before);
    await app.admin('POST', '/admin/keys/rotate');
    const operator = new CommandLine(app);
    expect((await operator.run(['encryption', 'reencrypt', '--wait'])).code).toBe(0);
    operator.close();
    const { values, reencryption } = (await app.admin('GET', '/admin/encryption')).body;
    expect(Object.values(values['signing_keys.sealed_private_key'])).toEqual([1]);
    expect(reencryption.columns).toContainEqual(
      expect.objectContaining({ column: 'signing_keys.sealed_private_key', unreadable: 0, done: true }),
    );
    expect([...before.logged, ...app.logged].filter((line) => line.includes('no envelopes'))).toEqual([]);
  });
});

describe('a Vault that does not sign', () => {
  it.each<VaultState>(['sealed', 'silent', 'redirecting', 'huge', 'garbled', 'cut', 'broken'])(
    'because it is %s: nothing is issued, nothing is spent, and everything else goes on',
    async (state) => {
      const app = await start();
      const flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
      const { tokens } = await tokensOf(flow);
      const granted = await aGrantedCode(flow);
      const issued = async () => Number((await app.sql('select count(*) as n from issuances'))[0]?.n);
      const before = await issued();

      vault.state = state;
      for (const answer of [await redeem(granted), await refresh(granted, tokens.refresh_token)]) {
        expect(answer.status).toBe(503);
        expect(answer.body).toMatchObject({ error: 'temporarily_unavailable' });
        expect(answer.body.error_description).toBeTypeOf('string');
      }
      expect(await issued()).toBe(before);
      expect(await verified(app, tokens.access_token)).toBeTypeOf('string');
      expect((await app.admin('GET', '/admin/keys')).status).toBe(200);

      vault.state = 'open';
      clock.advance(6);
      const redeemed = await redeem(granted);
      expect(redeemed.status).toBe(200);
      const refreshed = await refresh(granted, tokens.refresh_token);
      expect(refreshed.status).toBe(200);
      for (const { body } of [redeemed, refreshed]) await verified(app, body.access_token);
      expect((await refresh(granted, refreshed.body.refresh_token)).status).toBe(200);
    },
  );

  it('shows as degraded, and asks Vault no oftener than once in five seconds to know', async () => {
    const app = await start();
    const ready = async () => (await fetch(`${app.url}/ready`)).json();
    expect(await ready()).toMatchObject({ status: 'ok', signing: 'ok' });
    vault.state = 'sealed';
    clock.advance(6);
    expect(await ready()).toMatchObject({ status: 'degraded', signing: 'down' });
    const asked = vault.calls.length;
    await Promise.all(Array.from({ length: 20 }, ready));
    expect(vault.calls.length).toBe(asked);
    const { subsystems } = (await app.admin('GET', '/admin/system/status')).body;
    expect(subsystems).toContainEqual({ name: 'signing', status: 'down', driver: 'vault_transit' });
  });

  it('however long it is silent, keeps no probe and no scrape waiting', async () => {
    const app = await start({ VAULT_TIMEOUT: '30s' });
    vault.state = 'silent';
    clock.advance(6);
    const before = performance.now();
    for (let seconds = 0; seconds < 12; seconds += 6) {
      expect(await (await fetch(`${app.url}/ready`)).json()).toMatchObject({ status: 'degraded', signing: 'down' });
      expect(await (await fetch(`${app.adminUrl}/metrics`)).text()).toMatch(
        /^authserver_dependency_up\{dependency="signing"\} 0$/m,
      );
      clock.advance(6);
    }
    expect(performance.now() - before).toBeLessThan(20_000);
  });

  it('stops a start in words, and nothing is made', async () => {
    vault.state = 'sealed';
    await expect(start()).rejects.toThrow('signing needs Vault: sealed, or not ready');
    vault.state = 'open';
    expect(Object.values(await statusesOf(await start()))).toEqual(['active']);
  });

  it('makes a revocation of the active key fail as a whole, so that it can be repeated', async () => {
    const app = await start();
    const [kid = ''] = Object.keys(await statusesOf(app));
    vault.state = 'sealed';
    expect((await app.admin('DELETE', `/admin/keys/${kid}`)).status).toBe(503);
    expect(await statusesOf(app)).toEqual({ [kid]: 'active' });
    vault.state = 'open';
    expect((await app.admin('DELETE', `/admin/keys/${kid}`)).status).toBe(204);
    expect((await statusesOf(app))[kid]).toBe('revoked');
  });

  it('is outlasted where the key that signs is forgotten meanwhile: its tokens end, and another signs when Vault is back', async () => {
    const app = await start();
    const { tokens, ...flow } = await tokensOf(await aFlow(app));
    const kid = await verified(app, tokens.access_token);
    vault.state = 'sealed';
    // As `authserver forget-key` does.
    await app.sql('update signing_keys set revoked_at = $1', [clock.now()]);
    clock.advance(6);
    await expect(verified(app, tokens.access_token)).rejects.toThrow('no applicable key found');
    const { status, body } = await refresh(flow, tokens.refresh_token);
    expect([status, body.error]).toEqual([503, 'temporarily_unavailable']);
    vault.state = 'open';
    const after = await refresh(flow, tokens.refresh_token);
    expect(await statusesOf(app)).toEqual({
      [kid]: 'revoked',
      [await verified(app, after.body.access_token)]: 'active',
    });
  });
});

describe('a policy or key that does not fit', () => {
  const unfit = async (app: TestApp): Promise<string> => {
    const { status, body } = await app.admin('POST', '/admin/keys/rotate');
    return `${status} ${body.code} ${body.detail}`;
  };

  it('without the right to rotate leaves the key that signs, and names the right', async () => {
    vault.denied.add('transit/keys/authserver-signing/rotate');
    const app = await start();
    expect(await unfit(app)).toMatch(/^409 key_store_unfit .*update on transit\/keys\/authserver-signing\/rotate/);
    await verified(app, (await tokensOf(await aFlow(app))).tokens.access_token);
    vault.rotate('authserver-signing'); // by hand, as the message says
    expect((await app.admin('POST', '/admin/keys/rotate')).status).toBe(200);
  });

  it.each([
    ['transit/sign/authserver-signing', 'signing needs Vault: permission denied'],
    ['transit/keys/authserver-signing', 'signing needs Vault: permission denied'],
  ])('without %s does not start, and says which', async (path, message) => {
    vault.denied.add(path);
    await expect(start()).rejects.toThrow(new RegExp(`${message}.*${path}`));
  });

  it('of another type does not start, and says what to change', async () => {
    vault.makeSigningKey('authserver-signing', 'rsa-2048');
    await expect(start()).rejects.toThrow(
      'the Transit key transit/keys/authserver-signing is not of the type ecdsa-p256, which signing.algorithm ES256 needs',
    );
    vault.makeSigningKey('authserver-signing', 'ecdsa-p384');
    await expect(start()).rejects.toThrow('is not of the type ecdsa-p256');
  });

  it('that is not there does not start, and says how it is made', async () => {
    await expect(start({ VAULT_TRANSIT_KEY_NAME: 'nobody' })).rejects.toThrow(
      'there is no Transit key transit/keys/nobody: make it with "vault write -f transit/keys/nobody type=ecdsa-p256"',
    );
  });

  it('is not signed with below min_encryption_version, until a rotation', async () => {
    const key = vault.makeSigningKey('authserver-signing', 'ecdsa-p256');
    const app = await start();
    const granted = await aGrantedCode(await aFlow(app));
    vault.rotate('authserver-signing');
    key.minimum = 2;
    expect((await redeem(granted)).status).toBe(503);
    await app.admin('POST', '/admin/keys/rotate');
    await verified(app, (await redeem(granted)).body.access_token);
  });

  it('that may be exported is used, and told of', async () => {
    vault.makeSigningKey('authserver-signing', 'ecdsa-p256').exportable = true;
    const app = await start();
    expect(app.logged.filter((line) => line.includes('its private half can leave Vault'))).toHaveLength(1);
  });
});
