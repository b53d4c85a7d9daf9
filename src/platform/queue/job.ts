/** Work of our own, and work that waits for somebody else's server, who may take his time: each has a queue and workers of its own. */
export type Lane = 'own' | 'outside';

/**
 * One kind of work that is done after the answer, by whichever replica is free. A subclass is a provider of the module that knows the
 * work; the queue finds it by itself.
 *
 * A job may run twice, and long after what it was made for: it looks at the rows first, and does only what is still wanted.
 */
export abstract class Job<Data extends object = object> {
  /** Also the topic of its rows in the outbox. */
  abstract readonly name: string;

  /** A regular one stays in its lane for good: its schedule lies there. */
  readonly lane: Lane = 'own';

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
