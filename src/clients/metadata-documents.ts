import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { Limits, type Limit } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';
import { FetchFailed, FetchRefused } from '../platform/http-client/fetch-errors.js';
import { GuardedFetch } from '../platform/http-client/guarded-fetch.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { cimdFetchDuration, cimdFetchSuppressed } from '../platform/telemetry/protocol-metrics.js';
import type { ClientMetadata } from './client.js';
import { HostSlots } from './host-slots.js';
import {
  DocumentWrong,
  documentUrlProblem,
  hostIsListed,
  MAX_DOCUMENT_BYTES,
  readMetadataDocument,
} from './metadata-document.js';
import { MetadataDocumentCache, type RecentFailure } from './metadata-document-cache.js';

/** So that one address cannot hold every outgoing request, with a host for each. */
const DOCUMENT_FETCH: Limit = { name: 'document-fetch', points: 30, windowSeconds: 60 };

/** A document that never says the same twice must not be written down at each request. */
const NEWS_AFTER_MS = 60_000;

/**
 * Client id metadata documents (draft-ietf-oauth-client-id-metadata-document-02): the metadata of a client whose id is the URL
 * of a document about it.
 *
 * Strangers choose the URLs: every fetch is guarded, counted by the address that asks for it, shared by whoever wants the same
 * URL at the same time, and not repeated for 30 seconds after a failure. A failure is `wrong` (the document breaks a rule or is gone: `invalid_client`) or
 * `unavailable` (its host is away: 503); its details go to the operator only.
 */
@Injectable()
export class MetadataDocuments {
  readonly #cache = new MetadataDocumentCache();
  readonly #inFlight = new Map<string, Promise<ClientMetadata>>();
  readonly #admissions = new Map<string, Promise<void>>();
  readonly #slots = new HostSlots();

  constructor(
    private readonly http: GuardedFetch,
    private readonly limits: Limits,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws OAuthError `client-authentication-failed` unless the URL may be a client id here */
  requireAcceptable(id: string): void {
    const { requireHttps, allowedHosts, deniedHosts } = this.config.cimd;
    const problem = documentUrlProblem(id, { requireHttps });
    if (problem) throw refusal(id, { kind: 'wrong', problem });
    if (hostIsListed(id, deniedHosts))
      throw suppressed('host', refusal(id, { kind: 'wrong', problem: 'the host is in cimd.denied_hosts' }));
    if (allowedHosts.length > 0 && !hostIsListed(id, allowedHosts)) {
      throw suppressed('host', refusal(id, { kind: 'wrong', problem: 'the host is not in cimd.allowed_hosts' }));
    }
  }

  /**
   * What the document says now, as far as its cache headers ask for now.
   *
   * @throws OAuthError `client-authentication-failed`, `try-again`, or `too-many-requests`: this address had too much fetched
   */
  async current(id: string): Promise<ClientMetadata> {
    this.requireAcceptable(id);
    const known = this.#known(id);
    if (known) return known;
    await this.#admit(id);
    return this.#known(id) ?? this.#start(id);
  }

  /** The same for an operator, who is not counted. While the host is away what it last said will do, for a day (W27). */
  async recent(id: string): Promise<ClientMetadata> {
    this.requireAcceptable(id);
    try {
      return await (this.#known(id) ?? this.#start(id));
    } catch (error) {
      const away = error instanceof OAuthError && error.symptom === 'try-again';
      const lastGood = away ? this.#cache.lastGood(id, this.clock.now()) : undefined;
      if (lastGood) return lastGood;
      throw error;
    }
  }

  /** Whether what `recent` says was learned later than a minute after `moment`. */
  isNewsSince(id: string, moment: Date): boolean {
    const learned = this.#cache.fetchedAt(id) ?? this.clock.now();
    return learned.getTime() - moment.getTime() > NEWS_AFTER_MS;
  }

  /** What needs no fetch of its own. @throws OAuthError if the last one has failed just now */
  #known(id: string): ClientMetadata | Promise<ClientMetadata> | undefined {
    const now = this.clock.now();
    const fresh = this.#cache.fresh(id, now);
    if (fresh) return fresh;
    const failure = this.#cache.failure(id, now);
    if (failure) throw suppressed('recent_failure', refusal(id, failure));
    return this.#inFlight.get(id);
  }

  #start(id: string): Promise<ClientMetadata> {
    const fetching = this.#fetch(id).finally(() => this.#inFlight.delete(id));
    this.#inFlight.set(id, fetching);
    return fetching;
  }

  /** Apart from the fetch, so that nobody shares the refusal of another address; one point for all who ask together. */
  #admit(id: string): Promise<void> {
    if (!this.config.rateLimit.enabled) return Promise.resolve();
    const address = addressKey(requestContext()?.ip ?? '');
    const key = `${address} ${id}`;
    const running = this.#admissions.get(key);
    if (running) return running;
    const admission = this.#take(id, address).finally(() => this.#admissions.delete(key));
    this.#admissions.set(key, admission);
    return admission;
  }

  async #take(clientId: string, address: string): Promise<void> {
    const { allowed, retryAfterSeconds } = await this.limits.take(DOCUMENT_FETCH, address);
    if (allowed) return;
    const limit = new OAuthError('too-many-requests', 'rate_limited', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      facts: { clientId },
    });
    throw suppressed('rate_limited', limit);
  }

  async #fetch(id: string): Promise<ClientMetadata> {
    try {
      return await this.#slots.run(new URL(id).host, () => this.#get(id));
    } catch (error) {
      throw this.#failed(id, error);
    }
  }

  async #get(id: string): Promise<ClientMetadata> {
    const startedAt = performance.now();
    return this.#read(id).finally(() => cimdFetchDuration.observe(secondsSince(startedAt)));
  }

  async #read(id: string): Promise<ClientMetadata> {
    const { cimd, oauth } = this.config;
    const development = { allowHttp: !cimd.requireHttps, allowPrivate: cimd.allowPrivateAddresses };
    const answer = await this.http.get(id, {
      trust: 'client',
      ...development,
      maxBytes: MAX_DOCUMENT_BYTES,
      timeoutMs: cimd.fetchTimeoutSeconds * 1000,
      accept: 'application/json',
    });
    if (mayPass(answer.status)) throw new FetchFailed('connect', `status ${answer.status}`);
    const metadata = readMetadataDocument(id, answer, oauth.allowedRedirectSchemes, development);
    this.#cache.keep(id, metadata, answer.headers, cimd.cacheTtlSeconds, this.clock.now());
    return metadata;
  }

  #failed(id: string, error: unknown): unknown {
    const failure = failureOf(error);
    if (!failure) return error;
    const ours = error instanceof FetchFailed && error.reason === 'capacity';
    if (ours) return suppressed('capacity', refusal(id, failure, error));
    this.#cache.backOff(id, failure, this.clock.now());
    return refusal(id, failure, error);
  }
}

/** 404 and 410 say that there is no document, 2xx and 3xx are no proper one; every other status may be a bad moment (W27). */
export function mayPass(status: number): boolean {
  return status >= 400 && status !== 404 && status !== 410;
}

/** Counts that nobody was asked. */
function suppressed(reason: 'host' | 'recent_failure' | 'rate_limited' | 'capacity', error: OAuthError): OAuthError {
  cimdFetchSuppressed.inc({ reason });
  return error;
}

function failureOf(error: unknown): RecentFailure | undefined {
  if (error instanceof DocumentWrong) return { kind: 'wrong', problem: error.problem };
  if (error instanceof FetchRefused) return { kind: 'wrong', problem: `not fetched: ${error.reason}` };
  if (error instanceof FetchFailed) return { kind: 'unavailable', problem: `not fetched: ${error.reason}` };
  return undefined;
}

function refusal(clientId: string, { kind, problem }: RecentFailure, cause?: unknown): OAuthError {
  const options = { facts: { clientId, problem }, cause };
  return kind === 'wrong'
    ? new OAuthError('client-authentication-failed', 'metadata_document_wrong', options)
    : new OAuthError('try-again', 'metadata_document_unavailable', options);
}
