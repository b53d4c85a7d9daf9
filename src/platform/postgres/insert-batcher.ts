import { asDatabaseAway, DatabaseAway, sqlState } from './database-away.js';
import { storableJson } from './storable-json.js';

export interface BatcherOptions<Row> {
  /**
   * One insert of all rows, such as `insert into t (…) select … from jsonb_to_recordset($1::jsonb) as r(…)` through
   * `Database.query`. With `keyOf` it returns a `{ key }` for each row that it stored.
   */
  readonly run: (rowsJson: string) => Promise<unknown>;
  /** The key of a row, for an insert that verifies what it writes and so may leave rows out (S6). */
  readonly keyOf?: (row: Row) => string;
  /** How many rows may wait; one more is refused with `BatcherFull`. Unbounded unless given. */
  readonly maxWaiting?: number;
}

/** The bounded queue has no room. */
export class BatcherFull extends Error {
  override readonly name = 'BatcherFull';
}

interface Waiting {
  readonly json: string;
  readonly key: string | undefined;
  readonly resolve: (stored: boolean) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_BATCH = 500;
const MAX_RETRIES = 3;
/** The fault of one row: bad data (22), a constraint (23), a value too long for an index (54). */
const FAULT_OF_A_ROW = /^(?:22|23|54)/;
/** Deadlock and serialization failure: nothing was committed, the same batch may run again. */
const WORTH_A_RETRY = /^(?:40P01|40001)$/;

/**
 * Writes rows of many requests with one statement and one commit (S2). One batch is in flight; what arrives meanwhile is the
 * next one, so that a lone row waits for nobody. A promise settles after the commit. Rows of one batch do not know each other,
 * and one that the database refuses fails alone.
 */
export class InsertBatcher<Row> {
  readonly #options: BatcherOptions<Row>;
  #queue: Waiting[] = [];
  #busy = false;

  constructor(options: BatcherOptions<Row>) {
    this.#options = options;
  }

  /** How many rows have not been sent yet. */
  get waiting(): number {
    return this.#queue.length;
  }

  /**
   * Resolves when the row is committed. The row is read now; changing it later changes nothing.
   *
   * @throws DatabaseAway, BatcherFull, or the SQL error that this row caused
   */
  async add(row: Row): Promise<void> {
    await this.offer(row);
  }

  /**
   * Like `add`, for an insert that verifies what it writes: false when the statement ran and did not return the row's key.
   * Without `keyOf` always true.
   */
  async offer(row: Row): Promise<boolean> {
    if (this.#queue.length >= (this.#options.maxWaiting ?? Infinity))
      throw new BatcherFull('too many rows are waiting');
    const json = storableJson(row);
    const key = this.#options.keyOf?.(row);
    return new Promise((resolve, reject) => {
      this.#queue.push({ json, key, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      queueMicrotask(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#write(this.#queue.splice(0, MAX_BATCH));
    this.#busy = false;
  }

  /** Settles every row of the batch, and never throws. */
  async #write(batch: Waiting[], retries = 0): Promise<void> {
    try {
      const returned = await this.#options.run(`[${batch.map((row) => row.json).join(',')}]`);
      const stored = this.#options.keyOf ? keysOf(returned) : undefined;
      for (const row of batch) row.resolve(stored?.has(row.key ?? '') ?? true);
    } catch (thrown) {
      const error = asDatabaseAway(thrown, true);
      const state = error instanceof DatabaseAway ? '' : (sqlState(error) ?? '');
      if (WORTH_A_RETRY.test(state) && retries < MAX_RETRIES) return this.#write(batch, retries + 1);
      if (batch.length === 1 || !FAULT_OF_A_ROW.test(state)) return batch.forEach((row) => row.reject(error));
      const half = batch.length >> 1;
      await this.#write(batch.slice(0, half));
      await this.#write(batch.slice(half));
    }
  }
}

function keysOf(returned: unknown): Set<string> {
  if (!Array.isArray(returned)) throw new TypeError('An insert with keyOf returns its rows.');
  return new Set(returned.map((row: { key: string }) => row.key));
}
