/**
 * One kind of work that is done after the answer, by whichever replica is free. A subclass is a provider of the module that knows the
 * work; the queue finds it by itself.
 *
 * A job may run twice, and long after what it was made for: it looks at the rows first, and does only what is still wanted.
 */
export abstract class Job<Data extends object = object> {
  /** Also the topic of its rows in the outbox. */
  abstract readonly name: string;

  /** How often it is tried before it is given up. */
  readonly attempts: number = 5;

  /** Before the second attempt; it doubles each time. */
  readonly backoffMillis: number = 1_000;

  /** Runs it regularly, wherever it is set. */
  readonly everyMillis?: number;

  /** @throws anything: it is tried again later */
  abstract run(data: Data): Promise<void>;

  /** Called once, when the last attempt has failed. */
  async giveUp(_data: Data, _error: Error): Promise<void> {}
}
