/** One built server as a process of its own. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { end, freePort, launch, lives, until } from './processes.mjs';

const here = join(import.meta.dirname, '../../..');
export const ADMIN_KEY = 'harness-admin-key-0123456789abcdef';

export class Replica {
  /** @param build the directory that `dist` lies in */
  static async prepare(home, name, env, build = here) {
    const replica = new Replica();
    const [port, adminPort] = [await freePort(), await freePort()];
    mkdirSync(join(home, name), { recursive: true });
    Object.assign(replica, { home, name, port, env, build, crashes: [], url: `http://127.0.0.1:${port}` });
    replica.adminUrl = `http://127.0.0.1:${adminPort}/admin`;
    replica.addresses = {
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${port}`,
      AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${adminPort}`,
      AUTHPLANE_DATA_DIR: join(home, name),
    };
    return replica;
  }

  /** Where it writes what it holds, in a soak. */
  get footprints() {
    return join(this.home, this.name, 'footprints');
  }

  get pid() {
    return this.process.pid;
  }

  get lives() {
    return this.serving && lives(this.process);
  }

  launch() {
    this.process = launch(process.execPath, [join(this.build, 'dist/src/main.js'), 'serve'], {
      cwd: join(this.home, this.name),
      env: { PATH: process.env.PATH, ...this.env, ...this.addresses, HARNESS_FOOTPRINT: this.footprints },
      log: join(this.home, `${this.name}.log`),
    });
    this.process.once('exit', (code, signal) => {
      if (this.serving) this.crashes.push(`${this.name} ended with ${code ?? signal}: ${this.log.slice(-1_500)}`);
      this.serving = false;
    });
  }

  async start() {
    this.launch();
    await this.untilReady();
  }

  /** One that cannot start, because the database is away, ends; whoever supervises it starts it again. */
  async untilReady() {
    const ready = async () => {
      if (!lives(this.process)) this.launch();
      const { status } = await fetch(`${this.url}/ready`, { signal: AbortSignal.timeout(5_000) });
      return status === 200;
    };
    await until(`replica ${this.name}`, ready, { log: this.process.log });
    this.serving = true;
  }

  end(signal) {
    this.serving = false;
    return end(this.process, signal);
  }

  async admin(method, path, body) {
    const response = await fetch(`${this.adminUrl}/${path}`, {
      method,
      headers: { authorization: `Bearer ${ADMIN_KEY}`, 'content-type': 'application/json' },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} /admin/${path}: ${response.status} ${text}`);
    return text === '' ? {} : JSON.parse(text);
  }

  /** Whether it has said lately that it cannot write. */
  complained() {
    return this.log.slice(-5_000).includes('the database is away');
  }

  get residentMegabytes() {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]) / 1024;
  }

  get log() {
    return readFileSync(join(this.home, `${this.name}.log`), 'utf8');
  }
}
