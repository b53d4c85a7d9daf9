import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aFlow, refresh, tokensOf } from '../builders.js';
import { emptyDatabase, freshDatabase, temporaryDirectory } from '../postgres.js';
import { serverMain, startServerProcess, type ServerProcess } from '../server-process.js';
import { startVaultServer, type VaultServer } from '../vault-transit-server.js';

type Database = Awaited<ReturnType<typeof freshDatabase>>;

const folder = temporaryDirectory();
let vault: VaultServer;
let [source, target]: Database[] = [];

beforeAll(async () => {
  vault = await startVaultServer();
  vault.makeSigningKey('authserver-signing', 'ecdsa-p256');
  [source, target] = [await freshDatabase(), await emptyDatabase()];
});
afterAll(async () => {
  await source?.drop();
  await target?.drop();
  await vault?.close();
  folder.remove();
});

const environment = ({ connection: { user, host, port, database } }: Database): Record<string, string> => ({
  AUTHPLANE_STORAGE_DRIVER: 'postgres',
  AUTHPLANE_STORAGE_POSTGRES_DSN: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`,
  AUTHPLANE_RATE_LIMIT_ENABLED: 'false',
  AUTHPLANE_SIGNING_KEY_STORE: 'vault_transit',
  AUTHPLANE_VAULT_ADDR: vault.address,
  AUTHPLANE_VAULT_TOKEN: vault.root,
  AUTHPLANE_SESSION_SECRET: 'process-session-secret-0123456789abcdef',
});
const start = (database: Database, more: Record<string, string> = {}): Promise<ServerProcess> =>
  startServerProcess({ dataDir: `${folder.path}/data`, env: { ...environment(database), ...more } });
const authserver = (database: Database, issuer: string, ...args: string[]): string =>
  execFileSync(process.execPath, [serverMain, ...args], {
    env: { PATH: process.env.PATH, AUTHPLANE_SERVER_ISSUER: issuer, ...environment(database) },
    cwd: folder.path,
    encoding: 'utf8',
  });
const kidsOf = async ({ url }: ServerProcess): Promise<string[]> =>
  (await (await fetch(`${url}/.well-known/jwks.json`)).json()).keys.map(({ kid }: { kid: string }) => kid);

describe('a server whose tokens Vault signs', { timeout: 60_000 }, () => {
  it('comes back from a backup with its keys, and is told what is not in it', async () => {
    const before = await start(source!);
    await before.admin('POST', '/admin/keys/rotate');
    const flow = await aFlow(before, { token_endpoint_auth_method: 'client_secret_basic' });
    const { tokens } = await tokensOf(flow);
    const file = `${folder.path}/backup.zip`;
    authserver(source!, before.issuer, 'backup', '--output', file);
    expect(await before.end('SIGTERM')).toBe(0);

    const said = authserver(target!, before.issuer, 'restore', '--input', file, '--keep-tokens');
    expect(said).toContain('private signing keys are not in a backup: configure the Vault that has them');
    const after = await start(target!, { AUTHPLANE_SERVER_ISSUER: before.issuer });
    expect(await kidsOf(after)).toHaveLength(2);
    expect((await refresh({ ...flow, app: after }, tokens.refresh_token)).status).toBe(200);
    expect(vault.calls.filter((call) => call.endsWith('/rotate'))).toHaveLength(1);
    expect(await after.end('SIGTERM')).toBe(0);
  });

  it('does not start while Vault is away, says so, and makes a new key when the former one was forgotten', async () => {
    vault.state = 'sealed';
    await expect(start(source!)).rejects.toThrow('authserver: signing needs Vault: sealed, or not ready');
    vault.state = 'open';
    vault.makeSigningKey('authserver-signing', 'ecdsa-p256'); // lost in Vault, and made anew
    const said: string = await start(source!).then(
      () => 'it started',
      (error: Error) => error.message,
    );
    const [, kid = 'none'] =
      /signing needs Vault: it does not sign with version 2.*forget-key --kid (\S+)/.exec(said) ?? [];
    expect(authserver(source!, 'http://localhost:9000', 'forget-key', '--kid', kid)).toContain('is forgotten');
    const again = await start(source!);
    expect(await kidsOf(again)).not.toContain(kid);
    expect(await again.end('SIGTERM')).toBe(0);
  });
});
