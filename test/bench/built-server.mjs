/** The built server as an operator runs it, on its embedded PostgreSQL, in a home of its own. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const main = join(import.meta.dirname, '../../dist/src/main.js');

export class BuiltServer {
  #child;

  /**
   * @param env settings besides those that give it a place of its own
   * @param yaml those that have no variable
   */
  static async prepare(env = {}, yaml = '') {
    const server = new BuiltServer();
    server.home = mkdtempSync(join(tmpdir(), 'authplane-bench-'));
    chmodSync(server.home, 0o711); // started as root, the database runs as another user, who must get through
    writeFileSync(join(server.home, 'authplane.yaml'), yaml);
    const [publicPort, adminPort] = [await freePort(), await freePort()];
    server.issuer = `http://localhost:${publicPort}`;
    server.adminUrl = `http://127.0.0.1:${adminPort}/admin`;
    server.env = {
      ...process.env,
      AUTHPLANE_DATA_DIR: join(server.home, 'data'),
      AUTHPLANE_SERVER_ISSUER: server.issuer,
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${publicPort}`,
      AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      // All load comes from one client at one address; it is counted all the same.
      AUTHPLANE_RATE_LIMIT_RPS: '1000000',
      AUTHPLANE_RATE_LIMIT_BURST: '1000000',
      ...env,
    };
    return server;
  }

  get pid() {
    return this.#child.pid;
  }

  /**
   * @param nodeOptions such as `--cpu-prof`
   * @returns seconds until /ready first answers 200
   */
  async start(nodeOptions = []) {
    const began = performance.now();
    const log = openSync(join(this.home, 'server.log'), 'a');
    const child = spawn(
      process.execPath,
      [...nodeOptions, main, '--config', join(this.home, 'authplane.yaml'), 'serve'],
      {
        env: this.env,
        stdio: ['ignore', log, log],
      },
    );
    this.#child = child;
    for (;;) {
      const ready = await fetch(`${this.issuer}/ready`).catch(() => undefined);
      await ready?.text();
      if (ready?.status === 200) return (performance.now() - began) / 1000;
      if (child.exitCode !== null) throw new Error(`the server ended:\n${this.#log().slice(-2000)}`);
      if (performance.now() - began > 60_000) throw new Error(`the server (process ${child.pid}) is not ready`);
      await sleep(5);
    }
  }

  async stop() {
    const child = this.#child;
    this.#child = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async cleanUp() {
    await this.stop();
    const postmaster = this.#postmaster(); // the database outlives a server that crashed
    if (postmaster) process.kill(postmaster.pid, 'SIGQUIT');
    rmSync(this.home, { recursive: true, force: true });
  }

  /** What a driver needs to look into the embedded database. */
  get database() {
    const { port, host } = this.#postmaster();
    return { host, port, user: 'authplane', database: 'authplane' };
  }

  /** The embedded database's processes, as of now. */
  get databasePids() {
    const { pid } = this.#postmaster();
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8');
    return [pid, ...children.split(' ').filter(Boolean).map(Number)];
  }

  async admin(path, body, method = 'POST') {
    const key = readFileSync(join(this.home, 'data/admin-api-key'), 'utf8').trim();
    const response = await fetch(`${this.adminUrl}/${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    if (!response.ok) throw new Error(`${method} /admin/${path}: ${response.status} ${await response.text()}`);
    return response.json();
  }

  #postmaster() {
    const file = join(this.home, 'data/postgres/postmaster.pid');
    if (!existsSync(file)) return undefined;
    const [pid, , , port, host] = readFileSync(file, 'utf8').split('\n');
    return { pid: Number(pid), port: Number(port), host };
  }

  #log() {
    return readFileSync(join(this.home, 'server.log'), 'utf8');
  }
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}
