import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AesMaster } from '../../src/encryption/aes-master.js';
import { ByEnvelope } from '../../src/encryption/by-envelope.js';
import { freshDatabase, openDatabase, temporaryDirectory } from '../postgres.js';
import { openAll, plantSealedRows } from '../sealed-rows.js';
import { freePort } from '../free-port.js';
import { startServerProcess, type ServerProcess } from '../server-process.js';
import { startVaultServer, type VaultServer } from '../vault-transit-server.js';
import { vaultDriver } from '../vault.js';

const master = 'ab'.repeat(32);
const CONNECTIONS = 300;
const VALUES = CONNECTIONS + CONNECTIONS / 2 + 4;

const data = temporaryDirectory();
let fresh: Awaited<ReturnType<typeof freshDatabase>>;
let opened: Awaited<ReturnType<typeof openDatabase>>;
let vault: VaultServer;
let start: () => Promise<ServerProcess>;
let server: ServerProcess | undefined;

beforeAll(async () => {
  fresh = await freshDatabase();
  opened = await openDatabase(fresh.connection);
  vault = await startVaultServer();
  await plantSealedRows(opened.database, new AesMaster(master), CONNECTIONS);
  const { host, port, user, database } = fresh.connection;
  const ports = { public: await freePort(), admin: await freePort() };
  const env = {
    AUTHPLANE_STORAGE_DRIVER: 'postgres',
    AUTHPLANE_STORAGE_POSTGRES_DSN: `postgres://${user}@localhost:${port}/${database}?host=${encodeURIComponent(host)}`,
    AUTHPLANE_DATA_ENCRYPTION_DRIVER: 'vault_transit_encrypt',
    AUTHPLANE_DATA_ENCRYPTION_KEY_ENV: 'MASTER',
    MASTER: master,
    AUTHPLANE_DATA_ENCRYPTION_VAULT_ADDRESS: vault.address,
    AUTHPLANE_DATA_ENCRYPTION_VAULT_KEY_NAME: 'authplane',
    AUTHPLANE_DATA_ENCRYPTION_VAULT_TOKEN_ENV: 'VAULT_TOKEN',
    VAULT_TOKEN: vault.root,
  };
  start = () => startServerProcess({ dataDir: `${data.path}/data`, ports, env });
});
afterAll(async () => {
  await server?.end('SIGTERM');
  await opened.end();
  await fresh.drop();
  await vault.close();
  data.remove();
});

const movedSoFar = async (): Promise<number> => {
  const [row] = await opened.database.query<{ moved: number }>(
    `select (select count(*) from connections where sealed_credential like 'vt1.%')::int
          + (select count(*) from connections where sealed_access_token like 'vt1.%')::int as moved`,
  );
  return row?.moved ?? 0;
};

const finished = async (running: ServerProcess): Promise<any> => {
  for (;;) {
    const { body } = await running.admin('GET', '/admin/encryption/reencryption');
    if (body.state === 'finished') return body;
  }
};

describe('a server that is killed in the middle of re-encryption', { timeout: 120_000 }, () => {
  it('has lost no value, and the next one goes on where it was', async () => {
    server = await start();
    const inTheMiddle = vault.turnsAfter(400, 'silent');
    const { status, body } = await server.admin('POST', '/admin/encryption/reencryption');
    expect(status).toBe(202);
    await inTheMiddle;
    await server.end('SIGKILL');

    const halfway = await movedSoFar();
    expect(halfway).toBeGreaterThan(0);
    expect(halfway).toBeLessThan(VALUES - 2);
    vault.state = 'open';
    const either = new ByEnvelope(new AesMaster(master), [vaultDriver(vault).driver]);
    expect(await openAll(opened.database, either)).toEqual({ good: VALUES, bad: [] });

    server = await start();
    await server.admin('POST', '/admin/encryption/reencryption'); // at once; without it within a minute
    const record = await finished(server);
    expect(record).toMatchObject({ id: body.id, key: 'vault_transit_encrypt/authplane/v1' });
    const moved = record.columns.reduce((sum: number, column: any) => sum + column.moved, 0);
    expect(moved).toBe(VALUES);
    expect((await openAll(opened.database, vaultDriver(vault).driver)).bad).toEqual([]);
  });
});
