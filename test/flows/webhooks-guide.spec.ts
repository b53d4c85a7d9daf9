import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { startTestApp } from '../app.js';
import { aSecret } from '../receiver.js';
import { freePort } from '../free-port.js';

const guide = readFileSync(join(import.meta.dirname, '../../docs/guides/webhooks.md'), 'utf8');

it('the receiver of the guide takes what is genuine, prints it, and takes nothing that is not', async () => {
  const [, code] = /```js\n([\s\S]+?)```/.exec(guide) ?? [];
  const [secret, port] = [aSecret(), await freePort()];
  const url = `http://127.0.0.1:${port}/authplane`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code!.replace('8090', String(port))], {
    env: { PATH: process.env.PATH, SECURITY_WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const printed: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => printed.push(line));
  const reachable = (): Promise<number> => fetch(url, { method: 'POST', body: '{}' }).then(({ status }) => status);
  await expect.poll(() => reachable().catch(() => 0)).toBe(401);

  const app = await startTestApp({
    settings: { GENUINE: secret, FORGED: aSecret() },
    yaml: `
webhooks:
  - { name: genuine, url: '${url}', secret_env: AUTHPLANE_GENUINE }
  - { name: forged, url: '${url}', secret_env: AUTHPLANE_FORGED }
`,
  });
  const tested = async (name: string): Promise<any> => (await app.admin('POST', `/admin/webhooks/${name}/test`)).body;
  expect(await tested('genuine')).toMatchObject({ delivered: true });
  await expect.poll(() => printed.join(' ')).toContain("data: { webhook: 'genuine' }");
  expect(await tested('forged')).toMatchObject({ delivered: false, error: 'answered 401' });
  expect(printed.join(' ')).not.toContain('forged');
  await app.close();
  const ended = once(child, 'exit');
  child.kill();
  await ended;
});
