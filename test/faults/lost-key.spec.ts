import { execFileSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../postgres.js';
import { serverMain, startServerProcess } from '../server-process.js';

const data = temporaryDirectory();
const dataDir = `${data.path}/data`;
afterAll(() => data.remove());

const keyFiles = (): string[] => readdirSync(join(dataDir, 'keys')).filter((name) => name.endsWith('.pem'));
const jwks = async (issuer: string): Promise<string[]> =>
  (await (await fetch(`${issuer}/.well-known/jwks.json`)).json()).keys.map(({ kid }: { kid: string }) => kid);

describe('a signing key whose file is lost', { timeout: 120_000 }, () => {
  it('stops the server from starting, which says what to do; doing it makes a new key', async () => {
    const first = await startServerProcess({ dataDir });
    const [kid] = await jwks(first.issuer);
    expect(await first.end('SIGTERM')).toBe(0);
    for (const file of keyFiles()) rmSync(join(dataDir, 'keys', file));

    await expect(startServerProcess({ dataDir })).rejects.toThrow(`authserver forget-key --kid ${kid}`);
    execFileSync(process.execPath, [serverMain, 'forget-key', '--kid', kid!], {
      env: { PATH: process.env.PATH, AUTHPLANE_DATA_DIR: dataDir },
    });
    const again = await startServerProcess({ dataDir });
    const kids = await jwks(again.issuer);
    expect(kids).toHaveLength(1);
    expect(kids).not.toContain(kid);
    expect(await again.end('SIGTERM')).toBe(0);
  });
});
