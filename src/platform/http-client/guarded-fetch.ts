import type { LookupAddress } from 'node:dns';
import { request } from 'undici';
import { isInternalOrPublicAddress, isPublicAddress } from './address-rules.js';
import { NewConnections, type Connection, type Connections } from './connections.js';
import { FetchFailed, FetchRefused, isHungUp, toFetchError } from './fetch-errors.js';
import { HostBreakers } from './host-breakers.js';
import { observedFetch } from './observed-fetch.js';
import { outgoingUrl, type Target, type UrlRules } from './outgoing-url.js';
import { type Resolver, resolveHost } from './resolver.js';

export interface GuardedGet extends UrlRules {
  /** Of the body, as it comes over the wire. 0 where only the status counts: whatever body there is stays unread. */
  readonly maxBytes: number;
  /** For everything together: resolving, connecting, the last byte of the body. */
  readonly timeoutMs: number;
  /** For connecting alone, where an answer may take longer than an address that leads nowhere deserves. */
  readonly connectTimeoutMs?: number;
  /** The `Accept` header. */
  readonly accept: string;
  /** Names in lower case. Values may be secrets: they are never logged, nor part of an error. */
  readonly headers?: Readonly<Record<string, string>>;
}

export interface GuardedPost extends GuardedGet {
  readonly contentType: string;
  readonly body: string;
  /** DELETE, where a protocol has a body there. */
  readonly method?: 'POST' | 'DELETE';
}

export interface FetchedAnswer {
  /** Any, 3xx too: a redirect is never followed. */
  readonly status: number;
  /** Names in lower case; repeated ones are joined with a comma. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

interface Message {
  readonly method?: 'POST' | 'DELETE';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** At once: to hosts that clients name, who may name many, and to those an operator did. */
const maxInFlight = { client: 16, operator: 64 };

/**
 * Requests to URLs that somebody else chose (server-side request forgery, OWASP A10).
 *
 * The name is resolved once, every address it has must be allowed, and only these are dialled: a second answer of the
 * DNS cannot lead elsewhere. TLS certificates are always verified.
 */
export class GuardedFetch {
  readonly #inFlight = { client: 0, operator: 0 };

  constructor(
    private readonly resolve: Resolver = resolveHost,
    private readonly hosts: HostBreakers = new HostBreakers(),
    private readonly connections: Connections = new NewConnections(),
  ) {}

  /**
   * @throws FetchRefused when asking again would not help
   * @throws FetchFailed when it may
   */
  get(url: string, { headers, ...options }: GuardedGet): Promise<FetchedAnswer> {
    return this.#send(url, options, { headers });
  }

  /**
   * @throws FetchRefused when asking again would not help
   * @throws FetchFailed when it may; whether the other side acted on the request is unknown then, unless `reachedNobody`
   */
  post(url: string, { contentType, body, headers, method = 'POST', ...options }: GuardedPost): Promise<FetchedAnswer> {
    return this.#send(url, options, { method, body, headers: { ...headers, 'content-type': contentType } });
  }

  #send(url: string, options: GuardedGet, message: Message): Promise<FetchedAnswer> {
    return observedFetch(url, options.trust, message.method ?? 'GET', () => this.#guarded(url, options, message));
  }

  async #guarded(url: string, options: GuardedGet, message: Message): Promise<FetchedAnswer> {
    const target = outgoingUrl(url, options);
    return this.hosts.run(options.trust, target.url.origin, () => this.#bounded(target, options, message));
  }

  async #bounded(target: Target, options: GuardedGet, message: Message): Promise<FetchedAnswer> {
    const { trust } = options;
    if (this.#inFlight[trust] >= maxInFlight[trust]) throw new FetchFailed('capacity');
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(new FetchFailed('timeout')), options.timeoutMs);
    this.#inFlight[trust]++;
    // The slot is held until the work has ended, not the waiting for it: a name server that hangs stays counted.
    const work = this.#fetch(target, options, message, deadline.signal).finally(() => this.#inFlight[trust]--);
    try {
      return await Promise.race([work, aborted(deadline.signal)]);
    } catch (error) {
      throw toFetchError(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #fetch(target: Target, options: GuardedGet, message: Message, signal: AbortSignal): Promise<FetchedAnswer> {
    const addresses = await this.#allowedAddresses(target);
    signal.throwIfAborted();
    const once = (): Promise<FetchedAnswer> =>
      this.#over(
        this.connections.to(addresses, options.connectTimeoutMs ?? options.timeoutMs),
        target,
        options,
        message,
        signal,
      );
    return once().catch((error: unknown) => {
      if (!this.connections.areKept || !isHungUp(error)) throw error;
      return once();
    });
  }

  async #over(
    { dispatcher, done }: Connection,
    { url }: Target,
    options: GuardedGet,
    message: Message,
    signal: AbortSignal,
  ): Promise<FetchedAnswer> {
    let read: number | undefined;
    try {
      const { statusCode, headers, body } = await request(url, {
        dispatcher,
        signal,
        method: message.method,
        body: message.body,
        headers: {
          ...message.headers,
          accept: options.accept,
          'accept-encoding': 'identity',
          'user-agent': 'authplane',
        },
      });
      const answer = { status: statusCode, headers: flat(headers) };
      if (options.maxBytes === 0 || isEncoded(answer.headers['content-encoding'])) {
        body.on('error', () => {}).destroy();
        if (options.maxBytes > 0) throw new FetchRefused('encoding');
        return { ...answer, body: Buffer.alloc(0) };
      }
      const whole = await bounded(body, options.maxBytes);
      read = statusCode;
      return { ...answer, body: whole };
    } finally {
      done(read);
    }
  }

  async #allowedAddresses({ host, privateAllowed }: Target): Promise<readonly LookupAddress[]> {
    const addresses = await this.resolve(host, privateAllowed ? 'system' : 'public').catch((error: unknown) => {
      throw new FetchFailed('dns', error);
    });
    if (addresses.length === 0) throw new FetchFailed('dns');
    const allowed = privateAllowed ? isInternalOrPublicAddress : isPublicAddress;
    if (!addresses.every(({ address }) => allowed(address))) throw new FetchRefused('address');
    return addresses;
  }
}

/** A few bytes of gzip may be gigabytes: we asked for none, so nobody who plays fair sends it. */
const isEncoded = (encoding: string | undefined): boolean =>
  encoding !== undefined && encoding.toLowerCase() !== 'identity';

async function bounded(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw new FetchRefused('too_large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, length);
}

function flat(headers: Readonly<Record<string, string | string[] | undefined>>): Record<string, string> {
  const entries = Object.entries(headers).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    entries.map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : String(value)]),
  );
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
