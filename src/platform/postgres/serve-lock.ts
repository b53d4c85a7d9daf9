import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import { newClient, type PostgresConnection } from './connection.js';
import { sqlState } from './database-away.js';

const RETAKE_MILLIS = 1_000;

/** Says that this process serves this database alone (P4). It lies in a session and so ends with the process, however it dies. */
export class ServeLock {
  #client: pg.Client | undefined;
  #released = false;

  constructor(
    readonly connection: PostgresConnection,
    client: pg.Client,
  ) {
    this.#keep(client);
  }

  /** False while the database is away, and after another process has taken the lock in the meantime. */
  get held(): boolean {
    return this.#client !== undefined;
  }

  async release(): Promise<void> {
    this.#released = true;
    await this.#client?.end();
    this.#client = undefined;
  }

  #keep(client: pg.Client): void {
    this.#client = client;
    client.once('end', () => {
      this.#client = undefined;
      if (!this.#released) void this.#retake();
    });
  }

  async #retake(): Promise<void> {
    while (!this.#released && !this.#client) {
      await sleep(RETAKE_MILLIS, undefined, { ref: false });
      const client = await tryLock(this.connection).catch(() => undefined);
      if (client && this.#released) await client.end();
      else if (client) this.#keep(client);
    }
  }
}

/**
 * Takes the lock `authserver serve` of an embedded database, waiting two seconds for a predecessor that is on its way out.
 *
 * @returns undefined when another server holds it: then refuse to boot, and do not stop the database, which is the other's
 */
export async function takeServeLock(connection: PostgresConnection): Promise<ServeLock | undefined> {
  const client = await tryLock(connection);
  return client && new ServeLock(connection, client);
}

async function tryLock(connection: PostgresConnection): Promise<pg.Client | undefined> {
  const client = newClient(connection);
  await client.connect();
  try {
    await client.query(`set lock_timeout = '2s'`);
    await client.query(`select pg_advisory_lock(hashtext('authserver serve'))`);
    return client;
  } catch (error) {
    await client.end();
    if (sqlState(error) === '55P03') return undefined;
    throw error;
  }
}
