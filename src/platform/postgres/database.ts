import { Injectable } from '@nestjs/common';
import type pg from 'pg';
import {
  DataSource,
  QueryRunnerAlreadyReleasedError,
  QueryRunnerProviderAlreadyReleasedError,
  type EntityManager,
  type QueryRunner,
} from 'typeorm';
import { isCrowded, tend } from './connection.js';
import { asDatabaseAway, condemnsServer, DatabaseAway, gaveWay, isDatabaseAway } from './database-away.js';
import { observed, poolState, type PoolState } from './observed.js';
import { WritableClient } from './writable-client.js';

export { DatabaseAway, isDatabaseAway };

/** The entity manager of an open transaction; `tx.query(sql, values)` for SQL by hand. */
export type Transaction = EntityManager;

/**
 * The one door to Postgres. What fails because the database is away is a `DatabaseAway`, after a second at most of waiting for a
 * connection and two for an answer; every other SQL error passes as it is and costs no connection.
 */
@Injectable()
export class Database {
  readonly #pool: pg.Pool;
  readonly #source: DataSource;

  constructor(source: DataSource) {
    this.#source = source;
    this.#pool = tend('master' in source.driver ? (source.driver.master as pg.Pool) : fail());
  }

  /** Repositories outside a transaction. */
  get manager(): EntityManager {
    return this.#source.manager;
  }

  /** For who looks after the server. */
  get pool(): PoolState {
    return poolState(this.#pool);
  }

  /**
   * One statement on a pooled connection, past the ORM: the hot path. Without `values` it may be several statements, which
   * Postgres then runs as one transaction.
   *
   * @param name makes it a prepared statement; one name stands for one text, everywhere
   * @throws DatabaseAway
   */
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[], name?: string): Promise<Row[]> {
    return observed(name ?? 'unnamed', () => this.#query(text, values, name));
  }

  async #query<Row>(text: string, values?: readonly unknown[], name?: string): Promise<Row[]> {
    this.#refuseCrowd();
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw new DatabaseAway(false, error);
    });
    try {
      // However long it waited: with less time than the server gives it, it would go on there, and look like a server that is away.
      const query = { name, text, values: values as unknown[] | undefined };
      const result: pg.QueryResult | pg.QueryResult[] = await client.query(query);
      client.release();
      return (Array.isArray(result) ? result.flatMap((each) => each.rows) : result.rows) as Row[];
    } catch (error) {
      doubtServer(client, error);
      // An SQL error leaves the connection usable; pool.query() would close it and pay for a new one.
      client.release(isDatabaseAway(error));
      throw asDatabaseAway(error, true);
    }
  }

  /** @returns false when it answers but takes nothing, as a standby does or a primary that ran out of room @throws DatabaseAway */
  async takesWrites(): Promise<boolean> {
    const [row] = await this.query<{ read_only: string }>(
      `select current_setting('transaction_read_only') as read_only`,
    );
    return row?.read_only === 'off';
  }

  /**
   * Runs `work` in a transaction and commits; an error rolls it back. A failure of the commit itself has an unknown outcome,
   * an earlier one has changed nothing. What had to give way to another transaction is run once more, from its beginning; after
   * that the database counts as away.
   *
   * @param work may be run twice: whatever it does besides SQL must bear that
   * @throws DatabaseAway
   */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return observed('transaction', () => this.#transaction(work));
  }

  async #transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    try {
      return await this.#attempt(work);
    } catch (error) {
      if (!gaveWay(error)) throw error;
    }
    return this.#attempt(work).catch((error: unknown) => {
      throw gaveWay(error) ? new DatabaseAway(false, error) : error;
    });
  }

  /** Waiting would end in the same answer, only later. */
  #refuseCrowd(): void {
    if (isCrowded(this.#pool)) throw new DatabaseAway(false, new Error('too many wait for a connection'));
  }

  async #attempt<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    this.#refuseCrowd();
    const runner = this.#source.createQueryRunner();
    let client: unknown;
    try {
      client = await runner.connect().catch((error: unknown) => {
        throw new DatabaseAway(false, error);
      });
      return await this.#inTransaction(runner, work);
    } catch (error) {
      doubtServer(client, error);
      throw error;
    } finally {
      await runner.release();
    }
  }

  async #inTransaction<T>(runner: QueryRunner, work: (tx: Transaction) => Promise<T>): Promise<T> {
    let committing = false;
    try {
      await runner.startTransaction();
      const result = await work(runner.manager);
      committing = true;
      await runner.commitTransaction();
      waitingForCommit.get(runner.manager)?.forEach((told) => told());
      return result;
    } catch (error) {
      const thrown = brokeBetween(error) ? new DatabaseAway(false, error) : asDatabaseAway(error, committing);
      if (!(thrown instanceof DatabaseAway)) await runner.rollbackTransaction().catch(() => {}); // endUnlessIdle sees to it
      throw thrown;
    }
  }
}

const waitingForCommit = new WeakMap<Transaction, (() => void)[]>();

/** Lets `work` happen once what the transaction says is true; never, where it is rolled back. @param work does not throw */
export function afterCommit(tx: Transaction, work: () => void): void {
  const waiting = waitingForCommit.get(tx);
  if (waiting) waiting.push(work);
  else waitingForCommit.set(tx, [work]);
}

/** The connection broke between two statements; TypeORM says so in two ways. */
const brokeBetween = (error: unknown): boolean =>
  error instanceof QueryRunnerAlreadyReleasedError || error instanceof QueryRunnerProviderAlreadyReleasedError;

/** What one request learned about the server is learned for all. */
function doubtServer(client: unknown, error: unknown): void {
  const cause = error instanceof DatabaseAway ? error.cause : error;
  if (client instanceof WritableClient && condemnsServer(cause)) client.doubt();
}

function fail(): never {
  throw new TypeError('Database needs the data source of a Postgres driver that is connected.');
}
