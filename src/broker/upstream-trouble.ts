import { OAuthError } from '#libs/oauth';
import { SealBroken } from '#libs/vault';
import { EncryptionOff } from '../encryption/encryption.js';
import { UpstreamAway, UpstreamMisconfigured } from './upstream-errors.js';

const SHORTEST_SECONDS = 1;
const LONGEST_SECONDS = 300;
const BUSY_SECONDS = 1;
const UNTOLD_SECONDS = 5;
/** Nothing gets better before an operator has done something. */
const OPERATOR_SECONDS = 60;

const bounded = (seconds: number): number => Math.min(LONGEST_SECONDS, Math.max(SHORTEST_SECONDS, Math.ceil(seconds)));

const later = (seconds: number): Readonly<Record<string, string>> => ({ 'Retry-After': String(bounded(seconds)) });

/** Upstream is not asked now: it was away a moment ago, or others are before. */
export function retryLater(until?: Date, now?: Date): OAuthError {
  const seconds = until && now ? (until.getTime() - now.getTime()) / 1000 : BUSY_SECONDS;
  return new OAuthError('try-again', 'upstream_unavailable', { headers: later(seconds) });
}

/**
 * When upstream may be asked again: when it says, or after as long as it has been away, within bounds; when an operator may have acted.
 *
 * @param failingSince absent: it was fine until now
 */
export function retryAt(error: UpstreamAway | UpstreamMisconfigured, now: Date, failingSince?: Date): Date {
  const away = failingSince ? (now.getTime() - failingSince.getTime()) / 1000 : 0;
  const told = error instanceof UpstreamMisconfigured ? OPERATOR_SECONDS : error.retryAfterSeconds;
  const seconds = told ?? Math.min(60, Math.max(UNTOLD_SECONDS, away));
  return new Date(now.getTime() + bounded(seconds) * 1000);
}

/** What a client is told of trouble that it did not cause and cannot end; undefined for everything else. The operator is told more. */
export function troubleOf(error: unknown): OAuthError | undefined {
  if (error instanceof UpstreamAway) {
    const headers = later(error.retryAfterSeconds ?? UNTOLD_SECONDS);
    return new OAuthError('try-again', 'upstream_unavailable', { headers, cause: error });
  }
  if (error instanceof UpstreamMisconfigured)
    return new OAuthError('try-again', 'upstream_misconfigured', { headers: later(OPERATOR_SECONDS), cause: error });
  if (error instanceof SealBroken || error instanceof EncryptionOff)
    return new OAuthError('try-again', 'vault_unreadable', { headers: later(OPERATOR_SECONDS), cause: error });
  return undefined;
}
