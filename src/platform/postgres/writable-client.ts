import pg from 'pg';
import type { Address } from './dsn-hosts.js';
import { Servers, type Found, type Kept } from './servers.js';

/** How long one server may take to let us in. */
export const CONNECT_MILLIS = 1_000;

/** It answers as a standby does: whoever was led to it is to come back. */
export class ReadOnlyServer extends Error {
  override readonly name = 'ReadOnlyServer';
  readonly code = '25006';

  constructor() {
    super('the server cannot be written to');
  }
}

type Callback = (error?: Error) => void;

/**
 * The only way in which connections are made: to a server that can be written to. The driver knows one host and takes a standby for as good
 * as any.
 */
export class WritableClient extends pg.Client implements Kept {
  lent = false;
  readonly #servers: Servers;

  constructor(config: pg.ClientConfig, servers: Servers) {
    super(config);
    this.#servers = servers;
    // Whoever uses it hears by the failing statement; the event alone, unheard, would end the process.
    this.on('error', () => {});
    this.once('end', () => servers.drop(this));
  }

  override connect(): Promise<this & pg.Client>;
  override connect(callback: Callback): void;
  override connect(callback?: Callback): Promise<this & pg.Client> | void {
    const connected = this.#connect();
    if (!callback) return connected;
    connected.then(
      () => callback(),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** Whether its server is believed to be the right one still. */
  get trusted(): boolean {
    return this.#servers.trusts(this);
  }

  /** It failed in a way that says something about its server. */
  doubt(): void {
    this.#servers.doubt(this);
  }

  giveUp(): void {
    this.connection.stream.destroy();
  }

  async #connect(): Promise<this & pg.Client> {
    const address = await this.#servers.writable();
    if (address) Object.assign(this, address);
    try {
      await super.connect();
      const { rows } = await this.query(IS_READ_ONLY);
      if (rows[0]?.read_only !== 'off') throw new ReadOnlyServer();
      this.#servers.keep(this);
    } catch (error) {
      this.#servers.forget();
      this.giveUp();
      throw error;
    }
    return this;
  }
}

const IS_READ_ONLY = {
  text: `select current_setting('transaction_read_only') as read_only`,
  query_timeout: CONNECT_MILLIS,
};

/** The timeline is the first part of the name of a WAL file, which a standby cannot name. */
const PROBE = `select current_setting('transaction_read_only') as read_only,
  case when pg_is_in_recovery() then '' else substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) end as timeline`;

/** Asks one of several servers, on a connection of its own. */
export async function probe(config: pg.ClientConfig, address: Address): Promise<Found> {
  const client = new pg.Client({ ...config, connectionTimeoutMillis: CONNECT_MILLIS, query_timeout: CONNECT_MILLIS });
  Object.assign(client, address);
  client.on('error', () => {});
  try {
    await client.connect();
    const { rows } = await client.query<{ read_only: string; timeline: string }>(PROBE);
    if (rows[0]?.read_only !== 'off') throw new ReadOnlyServer();
    return { timeline: Number.parseInt(rows[0].timeline, 16) };
  } finally {
    client.connection.stream.destroy();
  }
}
