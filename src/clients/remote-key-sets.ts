import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import { KeySetRefused, readPublicKeys, type PublicKey } from '#libs/jwt';
import { OAuthError, parseJson } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { FetchFailed, FetchRefused } from '../platform/http-client/fetch-errors.js';
import { freshSeconds } from '../platform/http-client/freshness.js';
import { jwksCacheHits, jwksCacheMisses } from '../platform/telemetry/protocol-metrics.js';
import { GuardedFetch, type FetchedAnswer } from '../platform/http-client/guarded-fetch.js';
import { assertionRefused } from './client-credentials.js';
import { HostSlots } from './host-slots.js';
import { mayPass } from './metadata-documents.js';

interface Remembered {
  readonly askedAt: Date;
  /** The last good answer. */
  readonly keys?: readonly PublicKey[];
  readonly goodAt?: Date;
  readonly freshUntil?: Date;
  /** Why the last question had no good answer. */
  readonly failure?: { readonly kind: 'wrong' | 'unavailable'; readonly problem: string };
}

const MAX_BYTES = 64 * 1024;
const MAX_ENTRIES = 1000;
const TIMEOUT_MS = 5000;
/** No URL is asked more often, whatever the assertions name and whatever it answers (W44). */
const ASK_EVERY_SECONDS = 60;
const MAX_FRESH_SECONDS = 60 * 60;
const LAST_RESORT_SECONDS = 24 * 60 * 60;

/**
 * Key sets behind a client's `jwks_uri`. Strangers choose the URLs: every fetch is guarded, shared by whoever wants it at the
 * same time, and not repeated within a minute. While the host is away its last good answer does, for a day; a wrong answer
 * ends it.
 */
@Injectable()
export class RemoteKeySets {
  readonly #remembered = new LRUCache<string, Remembered>({ max: MAX_ENTRIES });
  readonly #inFlight = new Map<string, Promise<Remembered>>();
  readonly #slots = new HostSlots();

  constructor(
    private readonly http: GuardedFetch,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /**
   * @param kid a key that should be among them
   * @throws OAuthError `client-authentication-failed` (there is no such set), `try-again` (its host is away)
   */
  async keys(url: string, clientId: string, kid?: string): Promise<readonly PublicKey[]> {
    const known = this.#remembered.get(url);
    const remembered = known && !this.#mustAsk(known, kid) ? known : undefined;
    (remembered ? jwksCacheHits : jwksCacheMisses).inc();
    const { keys, goodAt, failure } = remembered ?? (await this.#ask(url, known));
    if (keys && goodAt && this.clock.now() < after(goodAt, LAST_RESORT_SECONDS)) return keys;
    if (failure?.kind === 'wrong') throw assertionRefused('keys', clientId, { problem: failure.problem });
    throw new OAuthError('try-again', 'client_keys_unavailable', { facts: { clientId, problem: failure?.problem } });
  }

  #mustAsk(known: Remembered, kid: string | undefined): boolean {
    const now = this.clock.now();
    if (now < after(known.askedAt, ASK_EVERY_SECONDS)) return false;
    const fresh = known.keys && known.freshUntil && now < known.freshUntil;
    return !fresh || (kid !== undefined && !known.keys.some((key) => key.kid === kid));
  }

  #ask(url: string, known: Remembered | undefined): Promise<Remembered> {
    const running = this.#inFlight.get(url);
    if (running) return running;
    const asking = this.#answer(url, known).finally(() => this.#inFlight.delete(url));
    this.#inFlight.set(url, asking);
    return asking;
  }

  async #answer(url: string, known: Remembered | undefined): Promise<Remembered> {
    const askedAt = this.clock.now();
    try {
      const answer = await this.#slots.run(new URL(url).host, () => this.#fetch(url));
      const seconds = Math.min(Math.max(freshSeconds(answer.headers) ?? 0, ASK_EVERY_SECONDS), MAX_FRESH_SECONDS);
      const keys = readKeySet(answer);
      return this.#remember(url, { askedAt, keys, goodAt: askedAt, freshUntil: after(askedAt, seconds) });
    } catch (error) {
      const failure = failureOf(error);
      if (!failure) throw error;
      const remembered = { ...(failure.kind === 'unavailable' ? known : {}), askedAt, failure };
      // That we are busy says nothing about the host.
      const ours = error instanceof FetchFailed && error.reason === 'capacity';
      return ours ? remembered : this.#remember(url, remembered);
    }
  }

  #remember(url: string, remembered: Remembered): Remembered {
    this.#remembered.set(url, remembered);
    return remembered;
  }

  #fetch(url: string): Promise<FetchedAnswer> {
    const { requireHttps, allowPrivateAddresses } = this.config.cimd;
    return this.http.get(url, {
      trust: 'client',
      allowHttp: !requireHttps,
      allowPrivate: allowPrivateAddresses,
      maxBytes: MAX_BYTES,
      timeoutMs: TIMEOUT_MS,
      accept: 'application/jwk-set+json, application/json',
    });
  }
}

function readKeySet({ status, body }: FetchedAnswer): PublicKey[] {
  if (mayPass(status)) throw new FetchFailed('connect', `status ${status}`);
  if (status !== 200) throw new KeySetRefused(`the host answered ${status}, not 200`);
  let value: unknown;
  try {
    value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch {
    throw new KeySetRefused('it is not JSON in UTF-8 without repeated members');
  }
  return readPublicKeys(value);
}

function failureOf(error: unknown): Remembered['failure'] {
  if (error instanceof KeySetRefused) return { kind: 'wrong', problem: error.problem };
  if (error instanceof FetchRefused) return { kind: 'wrong', problem: `not fetched: ${error.reason}` };
  if (error instanceof FetchFailed) return { kind: 'unavailable', problem: `not fetched: ${error.reason}` };
  return undefined;
}

const after = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1000);
