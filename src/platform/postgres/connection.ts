import pg from 'pg';
import { splitHosts } from './dsn-hosts.js';
import { Servers } from './servers.js';
import { CONNECT_MILLIS, probe, WritableClient } from './writable-client.js';

/** Where the database is: the embedded one (a unix socket, `host` is its directory) or the operator's connection string. */
export type PostgresConnection =
  | { readonly host: string; readonly port: number; readonly user: string; readonly database: string }
  | { readonly dsn: string };

/** How long a statement may take, once it has a connection, before the database counts as away. */
const PATIENCE_MILLIS = 2_000;
/** How many may wait for a connection, for each one there is: more are refused at once. */
const WAITING_PER_CONNECTION = 40;

export interface PoolSize {
  readonly maxConns?: number;
  readonly minConns?: number;
  readonly maxConnLifetimeSeconds?: number;
  readonly maxConnIdleTimeSeconds?: number;
}

/** The driver's settings of a connection without a time limit for statements: for migrations and locks that are waited for. */
export function clientConfig(connection: PostgresConnection): pg.PoolConfig {
  const split = 'dsn' in connection ? splitHosts(connection.dsn) : undefined;
  const config: pg.ClientConfig = {
    ...('dsn' in connection ? { connectionString: split?.first ?? connection.dsn } : { ...connection, ssl: false }),
    application_name: 'authserver',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
  const servers = new Servers(split?.addresses ?? [], (address) => probe(config, address));
  return { ...config, Client: clientsOf(servers) as unknown as pg.PoolConfig['Client'] };
}

/** What a pool makes its connections of. */
function clientsOf(servers: Servers): new (config: pg.ClientConfig) => WritableClient {
  return class extends WritableClient {
    constructor(config: pg.ClientConfig) {
      super(config, servers);
    }
  };
}

/** A connection of one's own, not connected yet. */
export function newClient(connection: PostgresConnection): pg.Client {
  const { Client, ...config } = clientConfig(connection);
  return new (Client as unknown as new (config: pg.ClientConfig) => WritableClient)(config);
}

/** The driver's settings of the pool that serves requests: it gives up where `clientConfig` waits. */
export function poolConfig(connection: PostgresConnection, size: PoolSize = {}): pg.PoolConfig {
  return {
    ...clientConfig(connection),
    max: size.maxConns ?? 25,
    min: size.minConns ?? 5,
    maxLifetimeSeconds: size.maxConnLifetimeSeconds ?? 3_600,
    idleTimeoutMillis: (size.maxConnIdleTimeSeconds ?? 1_800) * 1_000,
    connectionTimeoutMillis: CONNECT_MILLIS,
    query_timeout: PATIENCE_MILLIS,
    onConnect: (client) =>
      // The server gives up a little earlier than we do, so that a statement we no longer wait for cannot commit later.
      client.query(`set statement_timeout = ${PATIENCE_MILLIS - 100}`),
  };
}

/** A pool of one's own, for those who bring their statements with them: BullMQ. */
export function openPool(connection: PostgresConnection, options: pg.PoolConfig): pg.Pool {
  return tend(new pg.Pool({ ...clientConfig(connection), ...options }));
}

/** Sees to it that a pool lends no connection that leads nowhere. */
export function tend(pool: pg.Pool): pg.Pool {
  pool.on('acquire', (client) => {
    if (client instanceof WritableClient) client.lent = true;
  });
  pool.on('release', (_error: Error | undefined, client: pg.PoolClient) => {
    if (client instanceof WritableClient) client.lent = false;
    endUnlessIdle(client);
  });
  return pool;
}

/** Whether so many wait for a connection that one more would wait in vain. */
export function isCrowded(pool: pg.Pool): boolean {
  return pool.waitingCount >= WAITING_PER_CONNECTION * pool.options.max;
}

/**
 * A connection that is given back in the middle of a transaction, with a statement that timed out still running, or to a server that is no
 * longer the right one, is closed: the next borrower would wait behind it. TypeORM gives such connections back as if nothing were wrong.
 */
function endUnlessIdle(client: pg.PoolClient): void {
  const unanswered = '_activeQuery' in client && Boolean(client._activeQuery);
  const doubted = client instanceof WritableClient && !client.trusted;
  if (unanswered || doubted || client.getTransactionStatus() !== 'I') void client.end();
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(
  connection: PostgresConnection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = newClient(connection);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
