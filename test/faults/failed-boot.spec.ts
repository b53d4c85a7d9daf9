import { connect, createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freshDatabase, temporaryDirectory } from '../postgres.js';
import { startRedis, type TestRedis } from '../redis.js';
import { startServerProcess } from '../server-process.js';

const data = temporaryDirectory();
let redis: TestRedis;
let database: Awaited<ReturnType<typeof freshDatabase>>;
let cut: Awaited<ReturnType<typeof cutting>>;
beforeAll(async () => {
  [redis, database] = [await startRedis(), await freshDatabase()];
  cut = await cutting('set statement_timeout', database.connection);
});
afterAll(async () => {
  cut.stop();
  await redis.stop();
  await database.drop();
  data.remove();
});

/** A way to the database on which a connection breaks as soon as it says `word`. */
async function cutting(word: string, { host, port }: { host: string; port: number }) {
  const server = createServer((client) => {
    const there = connect(`${host}/.s.PGSQL.${port}`);
    const end = (): void => {
      client.destroy();
      there.destroy();
    };
    client.on('data', (bytes) => (bytes.includes(word) ? end() : there.write(bytes)));
    there.on('data', (bytes) => client.write(bytes));
    for (const socket of [client, there]) socket.on('error', end).on('close', end);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { port: (server.address() as AddressInfo).port, stop: () => server.close() };
}

it('a server whose database goes away between the migrations and the first request ends, for others to start it again', async () => {
  const { user, database: name } = database.connection;
  const started = startServerProcess({
    dataDir: `${data.path}/data`,
    env: {
      AUTHPLANE_STORAGE_DRIVER: 'postgres',
      AUTHPLANE_STORAGE_POSTGRES_DSN: `postgres://${user}@127.0.0.1:${cut.port}/${name}`,
      AUTHPLANE_REDIS_URL: redis.url,
    },
  });
  await expect(started).rejects.toThrow(/the server ended with 1:\n/);
});
