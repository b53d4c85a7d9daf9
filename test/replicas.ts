import { withClient } from '../src/platform/postgres/connection.js';
import { freshDatabase, temporaryDirectory } from './postgres.js';
import { startRedis, type TestRedis } from './redis.js';
import { startServerProcess, type ServerProcess } from './server-process.js';

/** Two built servers as processes of their own under one issuer, on one Postgres and one Redis. */
export interface Replicas {
  readonly one: ServerProcess;
  readonly two: ServerProcess;
  readonly redis: TestRedis;
  sql<Row = Record<string, unknown>>(text: string, values?: unknown[]): Promise<Row[]>;
  stop(): Promise<void>;
}

/** @param settings by their variable without `AUTHPLANE_` */
export async function startReplicas(settings: Readonly<Record<string, string>> = {}): Promise<Replicas> {
  const [redis, { connection, drop }, data] = [await startRedis(), await freshDatabase(), temporaryDirectory()];
  const { user, host, port, database } = connection;
  const given = {
    STORAGE_DRIVER: 'postgres',
    STORAGE_POSTGRES_DSN: `postgres://${user}@${encodeURIComponent(host)}:${port}/${database}`,
    REDIS_URL: redis.url,
    ...settings,
  };
  const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [`AUTHPLANE_${name}`, value]));
  const dataDir = `${data.path}/data`;
  const one = await startServerProcess({ dataDir, env });
  const two = await startServerProcess({ dataDir, env, beside: one });
  return {
    one,
    two,
    redis,
    sql: (text, values) => withClient(connection, async (client) => (await client.query(text, values)).rows),
    stop: async () => {
      redis.thaw();
      await Promise.all([one.end('SIGTERM'), two.end('SIGTERM')]);
      await redis.stop();
      await drop();
      data.remove();
    },
  };
}
