import { HttpException, Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { DatabaseAway, isDatabaseAway } from '../postgres/database.js';

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
  if (error instanceof HttpException && error.getStatus() === 404) {
    return new OAuthError('not-found', 'not_found');
  }
  log.error({
    message: 'unexpected error',
    error: messageOf(error),
    stack: error instanceof Error ? error.stack : undefined,
  });
  return new OAuthError('server-error', 'unexpected', { cause: error });
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
