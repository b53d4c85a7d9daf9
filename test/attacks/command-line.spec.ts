import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { CommandLine } from '../command-line.js';
import { freePort } from '../free-port.js';

let app: TestApp;
let cli: CommandLine;
beforeAll(async () => {
  app = await startTestApp();
  cli = new CommandLine(app);
});
afterAll(async () => {
  cli?.close();
  await app?.close();
});

describe('a server that is not what it should be', () => {
  let server: Server;
  let answer: { status: number; type: string; body: string; location?: string; authorization?: string };
  let url: string;
  beforeAll(async () => {
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    server = createServer((req, res) => {
      answer.authorization = req.headers.authorization;
      res
        .writeHead(answer.status, {
          'content-type': answer.type,
          ...(answer.location && { location: answer.location }),
        })
        .end(answer.body);
    });
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
  });
  afterAll(() => new Promise((closed) => server.close(closed)));

  it('does not get the key sent on to another address', async () => {
    answer = { status: 307, type: 'text/plain', body: '', location: `${app.adminUrl}/admin/clients` };
    expect((await cli.run(['client', 'list', '--admin-url', url])).code).toBe(3);
  });

  it('is not mistaken for the admin API', async () => {
    answer = { status: 200, type: 'text/html', body: '<h1>It works!</h1>' };
    const { code, stderr } = await cli.run(['client', 'list', '--admin-url', url]);
    expect([code, stderr]).toEqual([1, expect.stringContaining('not the admin API')]);
  });

  it('cannot write to the terminal what moves its cursor or turns its text around', async () => {
    const name = '\u001b[2J\u009b31m\u202eevil\u2066';
    answer = { status: 200, type: 'application/json', body: JSON.stringify({ clients: [{ id: 'x', name }] }) };
    for (const more of [[], ['--json']]) {
      const { stdout } = await cli.run(['client', 'list', '--admin-url', url, ...more]);
      expect(stdout).toContain('evil');
      expect(stdout.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      if (more.length > 0) expect(JSON.parse(stdout).clients[0].name).toBe(name);
    }
    answer = { status: 400, type: 'application/problem+json', body: JSON.stringify({ detail: name }) };
    const { stderr } = await cli.run(['client', 'list', '--admin-url', url]);
    expect(stderr).toContain('evil');
    expect(stderr).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});
