import { Injectable } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Clock } from '../../platform/clock/clock.js';
import { FetchFailed, FetchRefused, reachedNobody } from '../../platform/http-client/fetch-errors.js';
import { GuardedFetch, type FetchedAnswer, type GuardedGet } from '../../platform/http-client/guarded-fetch.js';
import { UpstreamAway, UpstreamMisconfigured } from '../upstream-errors.js';
import { readUpstreamAnswer, type UpstreamJson } from './upstream-answer.js';

type Headers = Readonly<Record<string, string>>;

const USUAL_MILLIS = 5_000;

/**
 * Requests to upstream, which an operator named: no redirects, 5 seconds unless it is worth waiting longer, 64 KiB (W44). What goes wrong
 * is one of `upstream-errors.ts`.
 */
@Injectable()
export class UpstreamCalls {
  constructor(
    private readonly http: GuardedFetch,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** Plain http, in development. */
  get allowHttp(): boolean {
    return this.config.isLocal;
  }

  async postForm(
    url: string,
    form: Readonly<Record<string, string>>,
    headers: Headers = {},
    withinMillis = USUAL_MILLIS,
  ): Promise<UpstreamJson> {
    return readUpstreamAnswer(await this.sendForm(url, form, headers, withinMillis), this.clock.now());
  }

  /** The answer as it came, whatever its status. */
  sendForm(
    url: string,
    form: Readonly<Record<string, string>>,
    headers: Headers = {},
    withinMillis = USUAL_MILLIS,
  ): Promise<FetchedAnswer> {
    const bounds = { ...this.#bounds(headers), timeoutMs: withinMillis };
    const body = new URLSearchParams(form).toString();
    return this.#answered(this.http.post(url, { ...bounds, contentType: 'application/x-www-form-urlencoded', body }));
  }

  deleteWith(url: string, body: object, headers: Headers): Promise<FetchedAnswer> {
    const bounds = this.#bounds(headers);
    const message = {
      ...bounds,
      method: 'DELETE' as const,
      contentType: 'application/json',
      body: JSON.stringify(body),
    };
    return this.#answered(this.http.post(url, message));
  }

  async get(url: string, headers: Headers): Promise<UpstreamJson> {
    return readUpstreamAnswer(await this.#answered(this.http.get(url, this.#bounds(headers))), this.clock.now());
  }

  /** A success may have no body, or one that nobody reads (RFC 7009 §2.2). @throws as `postForm` does of any other */
  requireRevoked(answer: FetchedAnswer): void {
    if (answer.status >= 300) readUpstreamAnswer(answer, this.clock.now());
  }

  #bounds(headers: Headers): GuardedGet {
    return {
      trust: 'operator',
      allowHttp: this.allowHttp,
      timeoutMs: USUAL_MILLIS,
      connectTimeoutMs: USUAL_MILLIS,
      maxBytes: 64 * 1024,
      accept: 'application/json',
      headers,
    };
  }

  async #answered(answer: Promise<FetchedAnswer>): Promise<FetchedAnswer> {
    try {
      return await answer;
    } catch (error) {
      throw upstreamErrorOf(error);
    }
  }
}

function upstreamErrorOf(error: unknown): unknown {
  if (error instanceof FetchFailed)
    return new UpstreamAway(
      error.reason === 'timeout' ? 'timeout' : 'unreachable',
      !reachedNobody(error),
      undefined,
      error,
    );
  if (!(error instanceof FetchRefused)) return error;
  // Never sent, because the operator's URL leads nowhere; or an answer that nobody can read.
  return reachedNobody(error)
    ? new UpstreamMisconfigured(`url_${error.reason}`)
    : new UpstreamAway('nonsense', true, undefined, error);
}
