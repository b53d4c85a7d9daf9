import pg from 'pg';

/** Where the database is: the embedded one (a unix socket, `host` is its directory) or the operator's connection string. */
export type PostgresConnection =
  | { readonly host: string; readonly port: number; readonly user: string; readonly database: string }
  | { readonly dsn: string };

/** How long a request may wait for a connection or an answer before the database counts as away. */
export const PATIENCE_MILLIS = 2_000;
const CONNECT_MILLIS = 1_000;

export interface PoolSize {
  readonly maxConns?: number;
  readonly minConns?: number;
}

/** The driver's settings of a connection without a time limit for statements: for migrations and locks that are waited for. */
export function clientConfig(connection: PostgresConnection): pg.ClientConfig {
  return {
    ...('dsn' in connection ? { connectionString: connection.dsn } : { ...connection, ssl: false }),
    application_name: 'authserver',
    connectionTimeoutMillis: 5_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

/** The driver's settings of the pool that serves requests: it gives up where `clientConfig` waits. */
export function poolConfig(connection: PostgresConnection, size: PoolSize = {}): pg.PoolConfig {
  return {
    ...clientConfig(connection),
    max: size.maxConns ?? 25,
    min: size.minConns ?? 5,
    connectionTimeoutMillis: CONNECT_MILLIS,
    query_timeout: PATIENCE_MILLIS,
    onConnect: (client) => {
      // The query in flight fails and tells; the event alone, unheard while the connection is lent out, would end the process.
      client.on('error', () => {});
      // The server gives up a little earlier than we do, so that a statement we no longer wait for cannot commit later.
      return client.query(`set statement_timeout = ${PATIENCE_MILLIS - 100}`);
    },
  };
}

/** Runs `work` on a connection of its own. */
export async function withClient<T>(
  connection: PostgresConnection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(clientConfig(connection));
  client.on('error', () => {}); // an error between two statements; the next statement fails and tells
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
