import { HttpException, Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { DatabaseAway, isDatabaseAway } from '../postgres/database.js';
import { QueueAway } from '../queue/job-queue.js';

const log = new Logger('Errors');

/**
 * The one place where a thrown thing becomes an answer. A dependency that is away is 503 and never an error of the caller
 * (W21); what nobody expected is logged with its cause and leaves as a bare `server_error`.
 */
export function knownError(error: unknown): OAuthError {
  if (error instanceof OAuthError) {
    if (Object.keys(error.facts).length > 0 || error.cause !== undefined) {
      log.debug({ message: error.message, symptom: error.symptom, reason: error.reason, facts: error.facts });
    }
    return error;
  }
  if (isDatabaseAway(error)) {
    log.warn({ message: 'the database is away', error: messageOf(error) });
    return error instanceof DatabaseAway && error.outcomeUnknown
      ? new OAuthError('outcome-unknown', 'outcome_unknown', { cause: error })
      : new OAuthError('try-again', 'database_unavailable', { cause: error });
  }
  if (error instanceof QueueAway) return new OAuthError('try-again', 'queue_unavailable', { cause: error });
  // Nest's own: an unknown path, or one whose percent-encoding is broken and which therefore names nothing.
  if (error instanceof HttpException && [400, 404].includes(error.getStatus()))
    return new OAuthError('not-found', 'not_found');
  const unread = unreadable(error);
  if (unread) return unread;
  log.error({
    message: 'unexpected error',
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return new OAuthError('server-error', 'unexpected', { cause: error });
}

/** A body that Express could not read. */
function unreadable(error: unknown): OAuthError | undefined {
  const status = error instanceof Error && 'status' in error ? error.status : undefined;
  const fill = { expected: 'application/json' };
  if (status === 413) return new OAuthError('body-too-large', 'body_too_large', { cause: error });
  if (status === 415) return new OAuthError('media-type-unsupported', 'media_type_unsupported', { fill, cause: error });
  if (status === 400)
    return new OAuthError('body-unreadable', 'body_malformed', { fill: { expected: 'valid JSON' }, cause: error });
  return undefined;
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
