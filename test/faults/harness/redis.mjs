/** A Redis, or a primary with a replica and three Sentinels that watch over them. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { end, freePort, launch, until } from './processes.mjs';

const GROUP = 'authplane';

class RedisServer {
  constructor(home, port, more = []) {
    Object.assign(this, { home, port, more });
  }

  async start() {
    const dir = join(this.home, `redis-${this.port}`);
    mkdirSync(dir, { recursive: true });
    const args = ['--bind', '127.0.0.1', '--port', String(this.port), '--save', '', '--dir', dir, ...this.more];
    this.process = launch('redis-server', args, { log: join(this.home, 'redis.log') });
    await until('Redis', async () => (await this.ask('PING')) === 'PONG', { child: this.process });
  }

  async ask(...command) {
    const client = new Redis(this.port, '127.0.0.1', { lazyConnect: true, retryStrategy: null, connectTimeout: 1_000 });
    client.on('error', () => {});
    try {
      await client.connect();
      return await client.call(...command);
    } finally {
      client.disconnect();
    }
  }
}

export class SingleRedis {
  static async start(home) {
    const redis = new SingleRedis();
    redis.server = new RedisServer(home, await freePort());
    await redis.server.start();
    return redis;
  }

  get env() {
    return { AUTHPLANE_REDIS_URL: `redis://127.0.0.1:${this.server.port}` };
  }

  /** It comes back without anything that it knew. */
  async restart(downSeconds = 0) {
    await end(this.server.process, 'SIGKILL');
    await new Promise((resolve) => setTimeout(resolve, downSeconds * 1000));
    await this.server.start();
  }

  freeze() {
    this.server.process.kill('SIGSTOP');
  }

  thaw() {
    this.server.process.kill('SIGCONT');
  }

  async connections() {
    const clients = String(await this.server.ask('INFO', 'clients'));
    return Number(/connected_clients:(\d+)/.exec(clients)[1]) - 1;
  }

  async stop() {
    await end(this.server.process, 'SIGKILL');
  }
}

export class SentinelRedis {
  static async start(home) {
    const redis = new SentinelRedis();
    redis.primary = new RedisServer(home, await freePort());
    await redis.primary.start();
    redis.replica = new RedisServer(home, await freePort(), ['--replicaof', '127.0.0.1', String(redis.primary.port)]);
    await redis.replica.start();
    redis.sentinels = [];
    for (let n = 0; n < 3; n += 1) {
      const port = await freePort();
      const file = join(home, `sentinel-${port}.conf`);
      const watch = [
        `sentinel monitor ${GROUP} 127.0.0.1 ${redis.primary.port} 2`,
        `sentinel down-after-milliseconds ${GROUP} 2000`,
        `sentinel failover-timeout ${GROUP} 10000`,
      ];
      writeFileSync(file, [`port ${port}`, 'bind 127.0.0.1', `dir ${home}`, ...watch, ''].join('\n'));
      const child = launch('redis-server', [file, '--sentinel'], { log: join(home, 'sentinel.log') });
      redis.sentinels.push(Object.assign(new RedisServer(home, port), { process: child }));
    }
    for (const sentinel of redis.sentinels) {
      await until('Sentinel', async () => {
        const told = await sentinel.ask('SENTINEL', 'MASTER', GROUP);
        const facts = Object.fromEntries(told.flatMap((name, at) => (at % 2 === 0 ? [[name, told[at + 1]]] : [])));
        return facts['num-slaves'] === '1' && facts['num-other-sentinels'] === '2';
      });
    }
    return redis;
  }

  get server() {
    return this.primary;
  }

  get env() {
    return {
      AUTHPLANE_REDIS_SENTINELS: this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(','),
      AUTHPLANE_REDIS_SENTINEL_NAME: GROUP,
    };
  }

  /** The primary is gone; the Sentinels notice and promote the replica. @returns milliseconds until they agreed */
  async failOver() {
    const began = performance.now();
    await end(this.primary.process, 'SIGKILL');
    await until('the failover', async () => {
      const [, port] = await this.sentinels[0].ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', GROUP);
      return Number(port) === this.replica.port && String(await this.replica.ask('ROLE')).startsWith('master');
    });
    this.primary = this.replica;
    return performance.now() - began;
  }

  async connections() {
    return SingleRedis.prototype.connections.call(this);
  }

  async stop() {
    const all = [this.primary, this.replica, ...this.sentinels];
    await Promise.all(all.map(({ process: child }) => end(child, 'SIGKILL')));
  }
}
