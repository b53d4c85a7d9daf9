import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { freePort } from './free-port.js';
import { until } from './until.js';

/**
 * A Redis of its own for one file: empty, without persistence, on a free port of the loopback interface.
 *
 * @throws Error when neither TEST_REDIS_SERVER nor redis-server nor valkey-server is there
 */
export async function startRedis(options: Partial<RedisRole> = {}): Promise<TestRedis> {
  const redis = new TestRedis(findServer(), options.port ?? (await freePort()), options);
  await redis.start();
  return redis;
}

/** What one of several is told that a Redis of its own is not. */
export interface RedisRole {
  readonly port: number;
  /** Settings as on the command line: `['--cluster-enabled', 'yes']`. */
  readonly settings: readonly string[];
  /** What its configuration file says at first; a sentinel cannot do without one, and writes into it. */
  readonly file: string;
  /** It watches others and keeps nothing. */
  readonly sentinel: boolean;
}

/** They end with this process, however it ends. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class TestRedis {
  readonly url: string;
  readonly #directory = mkdtempSync(join(tmpdir(), 'authplane-redis-'));
  readonly #options: readonly string[];
  #process: ChildProcess | undefined;

  constructor(
    private readonly server: string,
    readonly port: number,
    { settings = [], file, sentinel = false }: Partial<RedisRole> = {},
  ) {
    this.url = `redis://127.0.0.1:${port}`;
    const own = join(this.#directory, 'redis.conf');
    if (file !== undefined) writeFileSync(own, file);
    this.#options = [
      ...(file === undefined ? [] : [own]),
      '--bind',
      '127.0.0.1',
      '--port',
      `${port}`,
      '--dir',
      this.#directory,
      ...(sentinel ? ['--sentinel'] : ['--save', '']),
      ...settings,
    ];
  }

  /** `host:port` */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Until it accepts connections. */
  async start(): Promise<void> {
    const child = spawn(this.server, this.#options, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    running.add(child);
    child.once('exit', () => running.delete(child));
    for await (const line of createInterface({ input: child.stdout })) {
      if (!/Ready to accept connections|Sentinel ID is/.test(line)) continue;
      child.stdout.resume();
      return;
    }
    throw new Error(`${this.server} ended before it was ready`);
  }

  /** As services do that host Redis for others. @returns the URL of a user who may give every command but these */
  async guestWithout(...commands: string[]): Promise<string> {
    const refused = commands.map((command) => `-${command}`);
    await this.operate((operator) =>
      operator.call('ACL', 'SETUSER', 'guest', 'on', '>a-password', '~*', '&*', '+@all', ...refused),
    );
    return this.url.replace('//', '//guest:a-password@');
  }

  /** Over a connection of its own, with every right. */
  async operate<T>(work: (operator: Redis) => Promise<T>): Promise<T> {
    const operator = new Redis(this.url, { maxRetriesPerRequest: 0, retryStrategy: () => null });
    operator.on('error', () => {}); // the command fails, and tells
    return work(operator).finally(() => operator.disconnect());
  }

  /** It accepts connections still, and answers nothing: what an overloaded or swapping machine looks like. */
  freeze(): void {
    this.#process?.kill('SIGSTOP');
  }

  thaw(): void {
    this.#process?.kill('SIGCONT');
  }

  /** It is gone without a word, and with it all it knew. */
  async kill(): Promise<void> {
    const child = this.#process;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  /** It was killed, and nobody has started it since. */
  get gone(): boolean {
    return this.#process === undefined;
  }

  /** Comes back empty, on the same port. */
  async restart(): Promise<void> {
    await this.kill();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}

/** Until the replica has all that its primary was told before. */
export async function caughtUp(primary: TestRedis, replica: TestRedis): Promise<void> {
  const offset = async (at: TestRedis, of: RegExp) =>
    Number(of.exec(await at.operate((it) => it.info('replication')))?.[1]);
  const wanted = await offset(primary, /master_repl_offset:(\d+)/);
  await until(
    'the replica has caught up',
    () => offset(replica, /slave_repl_offset:(\d+)/),
    (it) => it >= wanted,
  );
}

/** Until a client that was cut off has found Redis again. */
export async function untilAnswered({ client }: { client: { ping(): Promise<string> } }): Promise<void> {
  await until('Redis answers', () => client.ping(), 'PONG');
}

function findServer(): string {
  const candidates = [process.env['TEST_REDIS_SERVER'], 'redis-server', 'valkey-server'];
  for (const candidate of candidates) {
    if (candidate && answers(candidate)) return candidate;
  }
  throw new Error('No redis-server and no valkey-server in PATH; install one or name it in TEST_REDIS_SERVER.');
}

function answers(server: string): boolean {
  try {
    execFileSync(server, ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
