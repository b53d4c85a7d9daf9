/**
 * Every failure this server tells anyone about, declared once.
 *
 * A *symptom* is what the caller sees: a code, a status and one public sentence. It is shared by *reasons*: private, stable
 * words that say which check failed. From this table come the response, the page `/errors/{code}#{symptom}`, the audit row,
 * the metric label and the operator's explanation. A page shows all reasons of a symptom, so that it tells a caller nothing
 * about which one it was.
 *
 * `{name}` in a description is filled in by the thrower with a value that is safe to show.
 */

/** Status per error code. At our own endpoints DPoP errors are 400 (RFC 9449 §5, §8), not 401. */
export const errorStatus = {
  invalid_request: 400,
  invalid_client: 401,
  invalid_token: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  invalid_dpop_proof: 400,
  use_dpop_nonce: 400,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  consent_required: 400,
  access_denied: 403,
  not_found: 404,
  slow_down: 429,
  server_error: 500,
  temporarily_unavailable: 503,
} as const;

export type ErrorCode = keyof typeof errorStatus;

export interface Reason {
  /** What happened, for whoever reads the error page. */
  readonly cause: string;
  /** What to do about it; empty where the cause says it all. */
  readonly fix: string;
}

export interface Symptom<R extends string = string> {
  readonly code: ErrorCode;
  /** The public sentence. Only characters of RFC 6749 §5.2. */
  readonly description: string;
  /** Where the rule is written. */
  readonly see: string;
  readonly reasons: Readonly<Record<R, Reason>>;
  /** Only where the status is not the code's own. */
  readonly status?: number;
}

/** Declares one. @param reasons each private word with its cause and its fix */
export const symptom = <R extends string>(
  code: ErrorCode,
  description: string,
  see: string,
  reasons: Record<R, readonly [cause: string, fix: string]>,
  status?: number,
): Symptom<R> => ({
  code,
  description,
  see,
  ...(status === undefined ? {} : { status }),
  reasons: Object.fromEntries(
    Object.entries<readonly [string, string]>(reasons).map(([name, [cause, fix]]) => [name, { cause, fix }]),
  ) as Record<R, Reason>,
});
