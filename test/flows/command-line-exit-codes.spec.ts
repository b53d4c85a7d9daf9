import { dirname } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestApp, type TestApp } from '../app.js';
import { aClient, aUser } from '../builders.js';
import { CommandLine, runProgram } from '../command-line.js';
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

describe('when it goes wrong', () => {
  it.each<[what: string, args: string[]]>([
    ['nothing', []],
    ['a noun only', ['client']],
    ['an unknown noun', ['fish', 'list']],
    ['an unknown verb', ['client', 'swim']],
    ['an unknown flag', ['client', 'list', '--colour', 'red']],
    ['no --id', ['client', 'get']],
    ['a flag without its value', ['client', 'get', '--id']],
    ['a limit in words', ['client', 'list', '--limit', 'ten']],
    ['a lifetime in words', ['client', 'create', '--name', 'x', '--access-token-ttl', '15m']],
    ['a scope without a name', ['resource', 'create', '--slug', 's', '--backend-kind', 'mint', '--scopes', '||x']],
    ['a file that is not there', ['resource', 'update', '--id', 'x', '--scopes-file', '/nowhere']],
    ['scopes twice', ['resource', 'update', '--id', 'x', '--scopes', 'a', '--scopes-clear']],
    ['a policy twice', ['resource', 'update', '--id', 'x', '--policy-clear', '--policy-allowed-clients', 'a']],
    ['an address that is none', ['client', 'list', '--admin-url', 'localhost:9001']],
    ['a key file that is not there', ['client', 'list', '--api-key-file', '/nowhere']],
    ['the key as an argument', ['client', 'list', '--admin-api-key', 'k']],
  ])('%s on the command line ends with 2 and nothing on standard output', async (_, args) => {
    const { code, stdout, stderr } = await cli.run(args);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).not.toBe('');
  });

  it('a refusal ends with 1, says what the server said, and under which request id', async () => {
    const { code, stdout, stderr } = await cli.run(['client', 'get', '--id', 'nobody', '--json']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/^error: there is no such client \(404\)\nrequest id: [0-9a-f-]{36}$/);
  });

  it('a wrong key ends with 1 and says how to give the right one, without repeating either', async () => {
    const wrong = cli.file('wrong', 'not-the-admin-key');
    const { code, stderr } = await cli.run(['client', 'list', '--api-key-file', wrong]);
    expect(code).toBe(1);
    expect(stderr).toContain('AUTHPLANE_ADMIN_API_KEY');
    expect(stderr).toContain('--api-key-file');
    expect(stderr).not.toContain('not-the-admin-key');
  });

  it('a server that is not there ends with 3', async () => {
    const { code, stderr } = await cli.run(['client', 'list', '--admin-url', `http://127.0.0.1:${await freePort()}`]);
    expect(code).toBe(3);
    expect(stderr).toMatch(/cannot reach .*ECONNREFUSED/);
  });
});

describe('the built program', () => {
  it('reads server and key from the environment, and prints nothing but the answer on standard output', async () => {
    const env = { AUTHPLANE_ADMIN_URL: app.adminUrl, AUTHPLANE_ADMIN_API_KEY: app.adminKey };
    const { id } = await aClient(app);
    const { code, stdout, stderr } = await runProgram(['admin', 'client', 'get', '--id', id, '--json'], { env });
    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ id });
  });

  it('finds the key where the first start left it, and says so when that file is damaged', async () => {
    const key = 'generated-admin-key-0123456789abcdefghijkl';
    const started = await startTestApp({ settings: { ADMIN_API_KEY: key } });
    const left = new CommandLine({ adminUrl: started.adminUrl, adminKey: key });
    try {
      const env = { AUTHPLANE_ADMIN_URL: started.adminUrl, AUTHPLANE_DATA_DIR: dirname(left.keyFile) };
      expect(await runProgram(['admin', 'dcr', 'get'], { env })).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^mode +open$/),
      });
      left.file('admin-api-key', 'short');
      expect(await runProgram(['admin', 'dcr', 'get'], { env })).toMatchObject({ code: 2, stdout: '' });
    } finally {
      left.close();
      await started.close();
    }
  });

  it('reads a password from standard input', async () => {
    const env = { AUTHPLANE_ADMIN_URL: app.adminUrl, AUTHPLANE_ADMIN_API_KEY: app.adminKey };
    const { id } = await aUser(app);
    const args = ['admin', 'user', 'set-password', '--id', id, '--password', '-'];
    expect(await runProgram(args, { env, stdin: 'typed by somebody\n' })).toMatchObject({ code: 0, stderr: '' });
  });

  it('ends with 2 when it is not understood, with 0 after help, which names the exit codes', async () => {
    expect((await runProgram(['admin', 'client', 'swim'])).code).toBe(2);
    const help = await runProgram(['admin', '--help']);
    expect(help.code).toBe(0);
    expect(help.stdout).toContain('Exit codes');
  });
});
