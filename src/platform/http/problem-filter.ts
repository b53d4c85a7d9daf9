import { STATUS_CODES } from 'node:http';
import { Catch, HttpException, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { Config } from '../../config/config.js';
import { knownError } from './known-error.js';
import { errorUri } from './oauth-error-filter.js';
import { requestContext } from './request-context.js';

/** Writes failures of the operator's API as RFC 9457 problems. */
@Catch()
@Injectable()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly config: Config) {}

  catch(error: unknown, host: ArgumentsHost): void {
    writeProblem(host.switchToHttp().getResponse<Response>(), error, this.config.server.issuer);
  }
}

export function writeProblem(res: Response, error: unknown, issuer: string): void {
  const { status, headers, body } = error instanceof HttpException ? fromHttp(error) : fromKnown(error, issuer);
  res
    .status(status)
    .set({ 'Cache-Control': 'no-store', ...headers })
    .type('application/problem+json')
    .send(
      JSON.stringify({
        type: 'about:blank',
        title: STATUS_CODES[status],
        status,
        ...body,
        request_id: requestContext()?.requestId,
      }),
    );
}

interface Problem {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: object;
}

/** A Nest exception's object response is taken as the problem's members; class-validator's list of messages becomes `errors`. */
function fromHttp(error: HttpException): Problem {
  const status = error.getStatus();
  const response = error.getResponse();
  if (typeof response === 'string') return { status, headers: {}, body: { detail: response } };
  const { message, error: _error, statusCode: _statusCode, ...members } = response as Record<string, unknown>;
  const detail = Array.isArray(message) ? { detail: message.join('; '), errors: message } : { detail: message };
  return { status, headers: {}, body: { ...detail, ...members } };
}

function fromKnown(error: unknown, issuer: string): Problem {
  const known = knownError(error);
  return {
    status: known.status,
    headers: known.headers,
    body: { type: errorUri(issuer, known), detail: known.description, code: known.code },
  };
}
