interface Waiting<Row> {
  readonly id: string;
  readonly resolve: (row: Row | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const MAX_BATCH = 100;

/**
 * Reads rows for many requests with one statement. One is in flight; who asks meanwhile is in the next one, so that a lone reader waits
 * for nobody, and nobody is told what was read before they asked.
 */
export class ReadBatcher<Row extends { readonly id: string }> {
  readonly #run: (ids: readonly string[]) => Promise<Row[]>;
  #queue: Waiting<Row>[] = [];
  #busy = false;

  /** @param run one statement that returns the rows with these ids, such as `select … where id = any($1)` */
  constructor(run: (ids: readonly string[]) => Promise<Row[]>) {
    this.#run = run;
  }

  /** @returns undefined when there is no such row @throws what `run` throws */
  read(id: string): Promise<Row | undefined> {
    return new Promise((resolve, reject) => {
      this.#queue.push({ id, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      queueMicrotask(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) await this.#readAll(this.#queue.splice(0, MAX_BATCH));
    this.#busy = false;
  }

  /** Settles every reader of the batch, and never throws. */
  async #readAll(batch: readonly Waiting<Row>[]): Promise<void> {
    try {
      const rows = await this.#run([...new Set(batch.map(({ id }) => id))]);
      const byId = new Map(rows.map((row) => [row.id, row]));
      for (const { id, resolve } of batch) resolve(byId.get(id));
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
