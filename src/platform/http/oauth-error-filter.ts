import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import type { OAuthError } from '#libs/oauth';
import { Config } from '../../config/config.js';
import { knownError } from './known-error.js';
import { requestContext } from './request-context.js';

/** Writes failures of protocol endpoints: RFC 6749 §5.2 members, where to read more, and the request id (W1, W2). */
@Catch()
@Injectable()
export class OAuthErrorFilter implements ExceptionFilter {
  constructor(private readonly config: Config) {}

  catch(error: unknown, host: ArgumentsHost): void {
    writeOAuthError(host.switchToHttp().getResponse<Response>(), knownError(error), this.config.server.issuer);
  }
}

export function writeOAuthError(res: Response, error: OAuthError, issuer: string): void {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  res
    .status(error.status)
    .set({ 'Cache-Control': 'no-store', ...error.headers })
    .json({
      error: error.code,
      error_description: error.description,
      error_uri: errorUri(issuer, error),
      request_id: requestContext()?.requestId,
      ...error.members,
    });
}

export const errorUri = (issuer: string, error: OAuthError): string =>
  `${issuer}/errors/${error.code}#${error.symptom}`;
