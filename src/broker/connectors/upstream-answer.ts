import { parseJson } from '#libs/oauth';
import type { FetchedAnswer } from '../../platform/http-client/guarded-fetch.js';
import { UpstreamAway, UpstreamMisconfigured, UpstreamRefused } from '../upstream-errors.js';

export type UpstreamJson = Readonly<Record<string, unknown>>;

/** What upstreams call a code or credential that is over: RFC 6749, then the ways of GitHub and Slack. */
const refusedCodes = new Set([
  'invalid_grant',
  'bad_verification_code',
  'bad_refresh_token',
  'invalid_code',
  'code_already_used',
  'invalid_refresh_token',
  'token_revoked',
  'token_expired',
  'account_inactive',
]);
const awayCodes = new Set([
  'server_error',
  'temporarily_unavailable',
  'service_unavailable',
  'internal_error',
  'fatal_error',
  'request_timeout',
]);
const limitedCodes = new Set(['ratelimited', 'rate_limited', 'slow_down', 'too_many_requests']);

const MAX_RETRY_SECONDS = 3600;

/**
 * The JSON object of an answer that is a success. Upstream's words never pass on, but for its error code.
 *
 * @throws UpstreamAway, UpstreamRefused, UpstreamMisconfigured
 */
export function readUpstreamAnswer(answer: FetchedAnswer, now: Date): UpstreamJson {
  const { status } = answer;
  if (status === 429) throw new UpstreamAway('rate_limited', false, retryAfter(answer, now));
  if (status >= 500) throw new UpstreamAway('server_error', true, retryAfter(answer, now));
  if (status === 408) throw new UpstreamAway('timeout', true, retryAfter(answer, now));
  const json = objectOf(answer.body);
  const code = json && errorCodeOf(json);
  if (code !== undefined) throw failureOf(code, retryAfter(answer, now));
  if (status >= 300) throw new UpstreamMisconfigured(`http_${status}`);
  if (!json) throw new UpstreamAway('nonsense', true);
  return json;
}

/** Words, as every upstream has them: an upstream that repeats what it was sent must not have it written into log and audit. */
const errorWord = /^[a-z]{1,24}(?:[_-][a-z]{1,24}){0,5}$/;

/** A failure that a JSON object tells of, whatever the status: GitHub and Slack say so with 200. */
function errorCodeOf(json: UpstreamJson): string | undefined {
  if (json.ok !== false && (json.error === undefined || json.error === null)) return undefined;
  return typeof json.error === 'string' && errorWord.test(json.error) ? json.error : 'unreadable';
}

/** A code that nobody knows is the operator's to look at: it must not cost anybody the connection. */
function failureOf(code: string, retryAfterSeconds: number | undefined): Error {
  if (refusedCodes.has(code)) return new UpstreamRefused(code);
  if (limitedCodes.has(code)) return new UpstreamAway('rate_limited', false, retryAfterSeconds);
  if (awayCodes.has(code)) return new UpstreamAway('server_error', true, retryAfterSeconds);
  return new UpstreamMisconfigured(code);
}

function objectOf(body: Buffer): UpstreamJson | undefined {
  try {
    const value = parseJson(new TextDecoder('utf-8', { fatal: true }).decode(body));
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as UpstreamJson) : undefined;
  } catch {
    return undefined;
  }
}

/** `Retry-After` in whole seconds, bounded. RFC 9110 §10.2.3. */
function retryAfter({ headers }: FetchedAnswer, now: Date): number | undefined {
  const value = headers['retry-after'];
  if (value === undefined) return undefined;
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : Math.ceil((Date.parse(value) - now.getTime()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 1), MAX_RETRY_SECONDS);
}
