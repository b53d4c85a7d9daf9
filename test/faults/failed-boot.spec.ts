import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { freshDatabase, temporaryDirectory } from '../postgres.js';
import { startRedis, type TestRedis } from '../redis.js';
import { startServerProcess, type ServerProcess } from '../server-process.js';

const data = temporaryDirectory();
let redis: TestRedis;
let database: Awaited<ReturnType<typeof freshDatabase>>;
beforeAll(async () => {
  [redis, database] = [await startRedis(), await freshDatabase()];
});
afterAll(async () => {
  await redis.stop();
  await database.drop();
  data.remove();
});

/** A way to the database on which so many connections break as soon as they say `word`. */
async function cutting(word: string, times: number, { host, port }: { host: string; port: number }) {
  let left = times;
  const server = createServer((client) => {
    const there = connect(`${host}/.s.PGSQL.${port}`);
    const end = (): void => {
      client.destroy();
      there.destroy();
    };
    client.on('data', (bytes) => (bytes.includes(word) && left-- > 0 ? end() : there.write(bytes)));
    there.on('data', (bytes) => client.write(bytes));
    for (const socket of [client, there]) socket.on('error', end).on('close', end);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() };
}

/** Its database goes away between the migrations and the first request, for so many connections. */
async function started(times: number): Promise<ServerProcess> {
  const { user, database: name } = database.connection;
  const cut = await cutting('set statement_timeout', times, database.connection);
  onTestFinished(() => void cut.stop());
  return startServerProcess({
    dataDir: `${data.path}/data`,
    env: {
      AUTHPLANE_STORAGE_DRIVER: 'postgres',
      AUTHPLANE_STORAGE_POSTGRES_DSN: `postgres://${user}@127.0.0.1:${cut.port}/${name}`,
      AUTHPLANE_REDIS_URL: redis.url,
    },
  });
}

it('a server whose database goes away between the migrations and the first request ends, for others to start it again', async () => {
  await expect(started(Infinity)).rejects.toThrow(/the server ended with 1:\n/);
});

it('a server whose database was slow or away for a moment then starts all the same', async () => {
  const server = await started(1);
  expect(server.output.join('\n')).toContain('Retrying (1)');
  expect(await server.end('SIGTERM')).toBe(0);
});
