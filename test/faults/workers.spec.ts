import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aConfidentialClient, aResource, introspect, postForm, type ClientFixture } from '../builders.js';
import { letActAs } from '../exchanges.js';
import { temporaryDirectory } from '../postgres.js';
import { freePort } from '../free-port.js';
import { serverMain, startServerProcess, type ServerProcess } from '../server-process.js';

const SOON = { timeout: 20_000, interval: 50 };
const COUNT = 3;

let data: ReturnType<typeof temporaryDirectory>;
let ports: { public: number; admin: number };
let server: ServerProcess;
let client: ClientFixture;
let resource: { uri: string };

const start = (): Promise<ServerProcess> =>
  startServerProcess({
    dataDir: `${data.path}/data`,
    ports,
    env: {
      AUTHPLANE_SERVER_WORKERS: String(COUNT),
      AUTHPLANE_RATE_LIMIT_ENABLED: 'false',
      AUTHPLANE_CLIENT_CREDENTIALS_ENABLED: 'true',
    },
  });

beforeAll(async () => {
  data = temporaryDirectory();
  ports = { public: await freePort(), admin: await freePort() };
  server = await start();
  client = await aConfidentialClient(server, {
    grant_types: ['client_credentials'],
    redirect_uris: [],
    scope: 'notes:read',
  });
  const made = await aResource(server);
  await letActAs(server as never, made, client);
  resource = made;
});
afterAll(async () => {
  await server.end('SIGTERM');
  data.remove();
});

/** Places and processes, as the log tells: who answers, and who ended. */
const told = (what: string): number[] =>
  server.output.filter((line) => line.includes(what)).map((line) => Number(/"pid":(\d+)/.exec(line)?.[1]));
const answering = (): number[] => {
  const ended = told(' ended with ');
  return told(' answers"').filter((pid) => !ended.includes(pid));
};
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};
const postmaster = (): number => {
  const file = join(data.path, 'data', 'postgres', 'postmaster.pid');
  return existsSync(file) ? Number(readFileSync(file, 'utf8').split('\n')[0]) : 0;
};

/** On a connection of its own, so that the next worker has its turn. */
async function ask(url: string): Promise<{ status: number | undefined; text: string }> {
  const asked = request(url, { agent: false }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, text: (await response.toArray()).join('') };
}

const isReady = async (): Promise<boolean> => (await ask(`${server.url}/ready`)).status === 200;

const aToken = async (): Promise<string> => {
  const form = { grant_type: 'client_credentials', resource: resource.uri, scope: 'notes:read' };
  const { status, body } = await postForm(server, '/oauth/token', form, client);
  expect([status, body.error_description]).toEqual([200, undefined]);
  return body.access_token;
};

/** As often as that every worker is asked. */
const seenByAll = (token: string): Promise<boolean[]> =>
  Promise.all(Array.from({ length: 4 * COUNT }, async () => (await introspect(server, token, client)).active));

describe('a server of several processes', { timeout: 120_000 }, () => {
  it('has as many as it was told, on one database that one of them keeps, and admits no other server', async () => {
    expect(new Set(answering()).size).toBe(COUNT);
    expect(answering()).not.toContain(server.pid);
    const second = spawn(process.execPath, [serverMain, 'serve'], {
      env: {
        PATH: process.env.PATH,
        AUTHPLANE_DATA_DIR: `${data.path}/data`,
        AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${await freePort()}`,
        AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${await freePort()}`,
        AUTHPLANE_SERVER_WORKERS: '2',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    second.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    const [code] = await once(second, 'close'); // and all that it said is here
    expect([code, complaint]).toEqual([1, expect.stringContaining('another server is using')]);
    expect(await isReady()).toBe(true);
  });

  it('takes a token back in all of them at once', async () => {
    const token = await aToken();
    expect(new Set(await seenByAll(token))).toEqual(new Set([true]));
    expect((await postForm(server, '/oauth/revoke', { token }, client)).status).toBe(200);
    expect(new Set(await seenByAll(token))).toEqual(new Set([false]));
  });

  it('shows the metrics of all, whichever of them is asked, each with its worker', async () => {
    const metrics = async () => (await ask(`http://127.0.0.1:${ports.admin}/metrics`)).text;
    const issued = async (): Promise<number> => {
      const series = /^authserver_tokens_issued_total\{worker="\d",grant_type="client_credentials"\} (\d+)$/gm;
      return [...(await metrics()).matchAll(series)].reduce((total, [, count]) => total + Number(count), 0);
    };
    const before = await issued();
    for (let count = 0; count < 12; count++) await aToken();
    for (let count = 0; count < 2 * COUNT; count++) expect(await issued()).toBe(before + 12);
    const text = await metrics();
    expect(text.match(/^# TYPE authserver_tokens_issued_total /gm)).toHaveLength(1);
    const workers = [...text.matchAll(/^process_start_time_seconds\{worker="(\d)"\} \d/gm)].map(([, place]) => place);
    expect(workers.toSorted()).toEqual(['1', '2', '3']);
    expect(text.split('\n').filter((line) => line !== '' && !/^#|worker="\d"/.test(line))).toEqual([]);
  });

  it('goes on at SIGHUP, all of them as they are: there is nothing to reload', async () => {
    const processes = [server.pid, ...answering()];
    for (const pid of processes) process.kill(pid, 'SIGHUP');
    const heard = (): number => server.output.filter((line) => line.includes('SIGHUP')).length;
    await server.untilSaid(() => heard() > COUNT);
    expect(heard()).toBe(COUNT + 1);
    expect(processes.every(isAlive)).toBe(true);
    expect(await isReady()).toBe(true);
  });

  it('loses one to kill -9: the others serve, nothing acknowledged is gone, and it is replaced', async () => {
    const tokens = await Promise.all(Array.from({ length: 20 }, aToken));
    const [victim] = answering() as [number];
    process.kill(victim, 'SIGKILL');
    await server.untilSaid(() => told(' ended with ').length > 0);
    expect(told(' ended with SIGKILL')).toEqual([victim]);
    for (let count = 0; count < 30; count++) expect(await isReady()).toBe(true);
    // How long a start takes is the machine's affair.
    await server.untilSaid(() => answering().length === COUNT);
    expect(answering()).not.toContain(victim);
    for (const token of tokens) expect((await introspect(server, token, client)).active).toBe(true);
  });

  it('ends with exit code 0 on SIGTERM, after what is in flight, with nothing left behind', async () => {
    const processes = [...answering(), postmaster()];
    expect(processes).toHaveLength(COUNT + 1);
    expect(processes.every(isAlive)).toBe(true);
    const token = aToken();
    const [, code] = await Promise.all([token, token.then(() => server.end('SIGTERM'))]);
    expect(code).toBe(0);
    // A postmaster that its file says is gone may take a moment longer.
    await expect.poll(() => processes.filter(isAlive), SOON).toEqual([]);
    server = await start();
    expect((await introspect(server, await token, client)).active).toBe(true);
  });

  it('leaves no worker behind when the process that keeps them is killed, and starts again on what is there', async () => {
    const token = await aToken();
    const processes = answering();
    expect(processes).toHaveLength(COUNT);
    expect(await server.end('SIGKILL')).toBe('SIGKILL');
    await expect.poll(() => processes.filter(isAlive), SOON).toEqual([]);
    server = await start();
    expect((await introspect(server, token, client)).active).toBe(true);
  });

  it('does not start where its address is taken, says so, and leaves nothing behind', async () => {
    const other = temporaryDirectory();
    const child = spawn(process.execPath, [serverMain, 'serve'], {
      env: {
        PATH: process.env.PATH,
        AUTHPLANE_DATA_DIR: `${other.path}/data`,
        AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${ports.public}`,
        AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${await freePort()}`,
        AUTHPLANE_SERVER_WORKERS: '2',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => (complaint += chunk.toString()));
    const [code] = await once(child, 'close');
    expect([code, complaint]).toEqual([1, expect.stringContaining('EADDRINUSE')]);
    expect(existsSync(join(other.path, 'data', 'postgres', 'postmaster.pid'))).toBe(false);
    other.remove();
  });
});
