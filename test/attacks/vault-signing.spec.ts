import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { SettableClock, startTestApp, type TestApp } from '../app.js';
import { aFlow, aGrantedCode, redeem, refresh, tokensOf, type Flow } from '../builders.js';
import { startVaultServer, type VaultServer, type VaultState } from '../vault-transit-server.js';

const clock = new SettableClock();
let vault: VaultServer;
let app: TestApp;
let flow: Flow;

beforeAll(async () => {
  vault = await startVaultServer();
  vault.makeSigningKey('authserver-signing', 'ecdsa-p256');
  vault.makeSigningKey('payments', 'ecdsa-p256');
  app = await startTestApp({
    clock,
    settings: {
      SIGNING_KEY_STORE: 'vault_transit',
      VAULT_ADDR: vault.address,
      VAULT_APPROLE_ROLE_ID: vault.role.roleId,
      VAULT_APPROLE_SECRET_ID: vault.role.secretId,
      VAULT_TIMEOUT: '1s',
      RATE_LIMIT_ENABLED: 'false',
      DATA_ENCRYPTION_DRIVER: 'aes_master',
      DATA_ENCRYPTION_KEY_ENV: 'AUTHPLANE_TEST_MASTER',
      TEST_MASTER: 'ab'.repeat(32),
    },
  });
  flow = await aFlow(app, { token_endpoint_auth_method: 'client_secret_basic' });
});
afterEach(() => {
  vault.between = undefined;
  vault.state = 'open';
});
afterAll(async () => {
  await app?.close();
  await vault?.close();
});

const count = async (table: string): Promise<number> =>
  Number((await app.sql(`select count(*) as n from ${table}`))[0]?.n);
const signatureIn = (body: { data: { signature: string } }): string => body.data.signature;
const withSignature = (signature: unknown): object => ({ data: { signature, key_version: 1 } });

/** As Vault writes it: by a key that is nobody's, over what Vault was asked to sign. */
function byStranger(digestOf: string): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = createHash('sha256').update(digestOf).digest();
  return `vault:v1:${sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url')}`;
}

describe('whoever answers in the name of Vault', () => {
  it.each<[string, (honest: string, former: string) => unknown]>([
    ['a signature by a key of their own', () => byStranger('a token')],
    ['a signature of Vault over another token', (_, former) => former],
    ['the right signature in the name of another version', (honest) => honest.replace(':v1:', ':v2:')],
    ['a signature with a bit turned', (honest) => honest.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A'))],
    ['one that is cut', (honest) => honest.slice(0, -4)],
    ['one with more behind it', (honest) => `${honest}AAAA`],
    ['none', () => 'vault:v1:'],
    ['64 bytes of nothing', () => `vault:v1:${Buffer.alloc(64).toString('base64url')}`],
    ['one that is far too long', () => `vault:v1:${'A'.repeat(40_000)}`],
    ['what is no text', () => ({ toString: 'vault:v1:AAAA' })],
    ['nothing that is said', () => undefined],
  ])('and gives %s gets no token out, and the code can be used after that', async (_what, make) => {
    let former = '';
    vault.between = (call, body) => (call.includes('/sign/') ? ((former = signatureIn(body)), body) : body);
    await tokensOf(flow);
    const granted = await aGrantedCode(flow);
    const before = await count('issuances');
    vault.between = (call, body) => (call.includes('/sign/') ? withSignature(make(signatureIn(body), former)) : body);
    const { status, body } = await redeem(granted);
    expect([status, body.error]).toEqual([503, 'temporarily_unavailable']);
    expect(JSON.stringify(body)).not.toContain('eyJ');
    expect(await count('issuances')).toBe(before);
    expect(app.logged.some((line) => line.includes('vault cannot be used'))).toBe(true);

    vault.between = undefined;
    expect((await redeem(granted)).status).toBe(200);
  });

  it('and names a key of theirs at a rotation cannot make it the one that signs', async () => {
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
      type: 'spki',
      format: 'pem',
    });
    const { keys } = (await app.admin('GET', '/admin/keys')).body;
    vault.between = (call, body) => {
      const { data } = body as { data: { latest_version: number; keys: Record<string, object> } };
      if (call === 'transit/keys/authserver-signing') data.keys[data.latest_version] = { public_key: stranger };
      return body;
    };
    expect((await app.admin('POST', '/admin/keys/rotate')).status).toBe(503);
    vault.between = undefined;
    clock.advance(6);
    expect((await app.admin('GET', '/admin/keys')).body.keys).toEqual(keys);
    expect((await tokensOf(flow)).tokens.access_token.split('.')).toHaveLength(3);
  });
});

describe('whoever can write to the database', () => {
  it.each(['transit/payments/1', '../sys/seal/1', 'transit/../../sys/1', 'transit/authserver-signing/0', 'v1'])(
    'cannot have %s signed with by a replica that starts',
    async (reference) => {
      const [row] = await app.sql<{ kid: string; at: string }>(
        `select kid, transit_key as at from signing_keys where retired_at is null`,
      );
      await app.sql('update signing_keys set transit_key = $2 where kid = $1', [row?.kid, reference]);
      const asked = vault.calls.length;
      await expect(startTestApp({ beside: app, clock, settings: { ...vaultOnly() } })).rejects.toThrow(
        /does not say which key of Vault it is|is no signature by version 1/,
      );
      const strange = vault.calls.slice(asked).filter((call) => /sys|\.\./.test(call));
      expect(strange).toEqual([]);
      await app.sql('update signing_keys set transit_key = $2 where kid = $1', [row?.kid, row?.at]);
    },
  );
});

const vaultOnly = (): Record<string, string> => ({
  SIGNING_KEY_STORE: 'vault_transit',
  VAULT_ADDR: vault.address,
  VAULT_TOKEN: vault.root,
});

describe('what the server shows to Vault', () => {
  it.each(['AUTHPLANE_VAULT_TOKEN', 'AUTHPLANE_VAULT_APPROLE_SECRET_ID', 'AUTHPLANE_VAULT_APPROLE_ROLE_ID'])(
    'cannot be sent elsewhere as the secret of a provider: %s',
    async (client_secret_ref) => {
      const config_data = { preset: 'github', client_id: 'us', client_secret_ref };
      const { status } = await app.admin('POST', '/admin/broker-providers', {
        slug: 'github',
        protocol: 'oauth',
        config_data,
      });
      expect(status).toBe(400);
    },
  );

  it('is in no log line, no answer, no audit event and no row, whatever Vault does', async () => {
    const { tokens } = await tokensOf(flow);
    const [shown, refused]: [string[], unknown[]] = [[], []];
    for (const state of ['sealed', 'silent', 'redirecting', 'huge', 'garbled', 'cut', 'broken'] as VaultState[]) {
      vault.state = state;
      clock.advance(400); // the token is renewed meanwhile
      const answers = [
        await refresh(flow, tokens.refresh_token),
        await app.admin('POST', '/admin/keys/rotate'),
      ] as const;
      refused.push([answers[0].body.error, answers[1].status]);
      shown.push(...answers.map(({ body }) => JSON.stringify(body)));
    }
    vault.state = 'open';
    for (const path of ['/admin/config', '/admin/keys', '/admin/system/status'])
      shown.push(JSON.stringify((await app.admin('GET', path)).body));
    shown.push(await (await fetch(`${app.url}/ready`)).text());
    for (const table of ['audit_events', 'signing_keys', 'settings'])
      shown.push(JSON.stringify(await app.sql(`select * from ${table}`)));
    expect(refused).toEqual(Array.from({ length: 7 }, () => ['temporarily_unavailable', 503]));
    for (const planted of vault.secrets)
      expect([...shown, ...app.logged].filter((text) => text.includes(planted))).toEqual([]);
  });
});
