import { LRUCache } from 'lru-cache';
import { freshSeconds } from '../platform/http-client/freshness.js';
import type { ClientMetadata } from './client.js';

export interface KnownDocument {
  readonly metadata: ClientMetadata;
  readonly fetchedAt: Date;
  readonly freshUntil: Date;
}

/** Why a URL is left alone for a while. */
export interface RecentFailure {
  readonly kind: 'wrong' | 'unavailable';
  readonly problem: string;
}

const MAX_ENTRIES = 1000;
const MIN_FRESH_SECONDS = 60;
const BACK_OFF_SECONDS = 30;
const LAST_RESORT_SECONDS = 24 * 60 * 60;

/** Remembers metadata documents and failures to get them, by the full URL; bounded, and blind to what time it is. */
export class MetadataDocumentCache {
  readonly #documents = new LRUCache<string, KnownDocument>({ max: MAX_ENTRIES });
  readonly #failures = new LRUCache<string, { failure: RecentFailure; until: Date }>({ max: MAX_ENTRIES });

  fresh(url: string, now: Date): ClientMetadata | undefined {
    const known = this.#documents.get(url);
    return known && now < known.freshUntil ? known.metadata : undefined;
  }

  /** A document that was good within the last 24 hours, for when its host is away (W27). */
  lastGood(url: string, now: Date): ClientMetadata | undefined {
    const known = this.#documents.get(url);
    return known && now < after(known.fetchedAt, LAST_RESORT_SECONDS) ? known.metadata : undefined;
  }

  /** undefined: it is not kept, so that whoever has it has it from just now. */
  fetchedAt(url: string): Date | undefined {
    return this.#documents.get(url)?.fetchedAt;
  }

  failure(url: string, now: Date): RecentFailure | undefined {
    const known = this.#failures.get(url);
    return known && now < known.until ? known.failure : undefined;
  }

  /** Keeps a good document as long as its headers allow, within bounds; not at all if they say `no-store` (RFC 9111 §3). */
  keep(
    url: string,
    metadata: ClientMetadata,
    headers: Readonly<Record<string, string>>,
    maxSeconds: number,
    now: Date,
  ): void {
    this.#failures.delete(url);
    const seconds = freshSeconds(headers);
    if (seconds === undefined) {
      this.#documents.delete(url);
      return;
    }
    const bounded = Math.min(Math.max(seconds, MIN_FRESH_SECONDS), maxSeconds);
    this.#documents.set(url, { metadata, fetchedAt: now, freshUntil: after(now, bounded) });
  }

  /** A wrong document ends the good one before it; a host that is away does not. */
  backOff(url: string, failure: RecentFailure, now: Date): void {
    if (failure.kind === 'wrong') this.#documents.delete(url);
    this.#failures.set(url, { failure, until: after(now, BACK_OFF_SECONDS) });
  }
}

const after = (from: Date, seconds: number): Date => new Date(from.getTime() + seconds * 1000);
