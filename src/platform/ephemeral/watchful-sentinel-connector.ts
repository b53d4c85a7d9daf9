import { Redis, SentinelConnector, type RedisOptions, type SentinelConnectionOptions } from 'ioredis';

type Stream = Awaited<ReturnType<SentinelConnector['connect']>>;

const SWITCH = '+switch-master';
/** As many sentinels are listened to at most. */
const LISTENED_TO = 10;

/**
 * Asks the sentinels for the primary as ioredis does, and leaves a primary as soon as one of them says that it is
 * another.
 *
 * The listening is our own, because ioredis's `failoverDetector` takes every such word for a reason to hang up. One that
 * arrives while the sentinels are being asked ends the client for good; those of the slower sentinels cut the connection
 * to the new primary, and so does the failover of any other primary that the same sentinels watch.
 */
export class WatchfulSentinelConnector extends SentinelConnector {
  #listeners: Redis[] = [];

  /** @param options of the client: sentinels, and the name of the primary */
  constructor(options: unknown) {
    super(options as SentinelConnectionOptions);
  }

  override async connect(...[report]: Parameters<SentinelConnector['connect']>): Promise<Stream> {
    this.#stopListening();
    const stream = await super.connect(report);
    // One that is being left may still come to be connected.
    stream.once('connect', () => this.connecting && this.#listen(stream));
    return stream;
  }

  override disconnect(): void {
    this.#stopListening();
    super.disconnect();
  }

  /** Sentinels that announce host names never name the address that is compared here: each of their words counts. */
  #listen(stream: Stream): void {
    const { name } = this.options;
    const present = `${stream.remoteAddress} ${stream.remotePort}`;
    for (const sentinel of this.#openSentinels()) {
      this.#listeners.push(sentinel);
      sentinel.on('error', () => {}); // it dials again; the others speak meanwhile
      sentinel.on('message', (_channel, word: string) => {
        const [of, , , ...address] = word.split(' ');
        if (of === name && address.join(' ') !== present) stream.destroy();
      });
      sentinel.subscribe(SWITCH).catch(() => {});
    }
  }

  #openSentinels(): Redis[] {
    const { sentinelUsername, sentinelPassword, sentinelTLS, connectTimeout, sentinelRetryStrategy } = this.options;
    const each: RedisOptions = {
      username: sentinelUsername,
      password: sentinelPassword,
      tls: sentinelTLS,
      connectTimeout,
      retryStrategy: sentinelRetryStrategy,
      maxRetriesPerRequest: null,
      enableReadyCheck: false,
    };
    // Those that the given ones told of are among them.
    this.sentinelIterator.reset(true);
    const known = [...{ [Symbol.iterator]: () => this.sentinelIterator }];
    this.sentinelIterator.reset(false);
    return known.slice(0, LISTENED_TO).map((sentinel) => new Redis({ ...each, ...sentinel }));
  }

  #stopListening(): void {
    for (const sentinel of this.#listeners) sentinel.disconnect();
    this.#listeners = [];
  }
}
