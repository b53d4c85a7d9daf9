import { spawn, type ChildProcess } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { SystemClock, type Clock } from '../src/platform/clock/clock.js';
import type { Target } from './app.js';
import { freePort } from './free-port.js';

export const serverMain = join(import.meta.dirname, '..', 'dist', 'src', 'main.js');

/** The built server as a process of its own, as an operator runs it. */
export interface ServerProcess extends Target {
  readonly pid: number;
  /** It goes by the machine's. */
  readonly clock: Clock;
  /** Milliseconds from the start of the process to the first request it could answer. */
  readonly readyAfterMillis: number;
  readonly output: readonly string[];
  /** Comes back when what it has said is as `isSaid` wants it, which is asked again at every line. */
  untilSaid(isSaid: () => boolean): Promise<void>;
  /** @returns the exit code, or the signal that ended it */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | string | null>;
}

export interface ServerProcessOptions {
  dataDir: string;
  env?: Readonly<Record<string, string>>;
  ports?: { public: number; admin: number };
  /** Another replica, whose issuer it serves under too. */
  beside?: ServerProcess;
}

export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const { dataDir, env = {}, ports, beside } = options;
  const at = ports ?? { public: await freePort(), admin: await freePort() };
  const url = `http://localhost:${at.public}`;
  const issuer = beside?.issuer ?? url;
  const adminUrl = `http://127.0.0.1:${at.admin}`;
  const adminKey = 'process-admin-key-0123456789abcdef';
  const startedAt = performance.now();
  const child = spawn(process.execPath, [serverMain, 'serve'], {
    cwd: join(serverMain, '..', '..', '..'),
    env: {
      PATH: process.env.PATH,
      AUTHPLANE_SERVER_ISSUER: issuer,
      AUTHPLANE_SERVER_ADDRESS: `127.0.0.1:${at.public}`,
      AUTHPLANE_ADMIN_ADDRESS: `127.0.0.1:${at.admin}`,
      AUTHPLANE_DATA_DIR: dataDir,
      AUTHPLANE_SESSION_SECRET: 'process-session-secret-0123456789abcdef',
      AUTHPLANE_ADMIN_API_KEY: adminKey,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output: string[] = [];
  const said = new EventEmitter();
  await untilServing(child, output, said);
  return {
    issuer,
    url,
    pid: child.pid!,
    clock: new SystemClock(),
    readyAfterMillis: performance.now() - startedAt,
    output,
    untilSaid: async (isSaid) => {
      while (!isSaid()) await once(said, 'line');
    },
    admin: async (method, path, body) => {
      const response = await fetch(`${adminUrl}${path}`, {
        method,
        headers: { authorization: `Bearer ${adminKey}`, ...(body ? { 'content-type': 'application/json' } : {}) },
        body: body ? JSON.stringify(body) : undefined,
      });
      const text = await response.text();
      return { status: response.status, body: text === '' ? {} : JSON.parse(text) };
    },
    end: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return child.exitCode ?? child.signalCode;
      const exited = once(child, 'exit');
      child.kill(signal);
      const [code, endedBy] = (await exited) as [number | null, string | null];
      return code ?? endedBy;
    },
  };
}

/** Waits for the line that says so; a process that ends before has failed, and its output, read to the end, says why. */
function untilServing(child: ChildProcess, output: string[], said: EventEmitter): Promise<void> {
  return new Promise((resolve, reject) => {
    for (const stream of [child.stdout!, child.stderr!]) {
      createInterface({ input: stream }).on('line', (line) => {
        output.push(line);
        said.emit('line');
        if (line.includes('"serving ')) resolve();
      });
    }
    child.once('close', (code, signal) =>
      reject(new Error(`the server ended with ${code ?? signal}:\n${output.join('\n')}`)),
    );
  });
}
