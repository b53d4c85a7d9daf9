import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Config } from '../../config/config.js';
import { knownError } from './known-error.js';
import { listenerOf } from './listeners.js';
import { writeOAuthError } from './oauth-error-filter.js';
import { PageErrorFilter } from './page-error-filter.js';
import { writeProblem } from './problem-filter.js';

/** What no controller's filter sees: unknown paths, and requests that were refused before any controller was chosen. */
@Catch()
@Injectable()
export class EdgeFilter implements ExceptionFilter {
  constructor(
    private readonly config: Config,
    private readonly pages: PageErrorFilter,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const req = host.switchToHttp().getRequest<Request>();
    const res = host.switchToHttp().getResponse<Response>();
    if (listenerOf(req) === 'admin') return writeProblem(res, error, this.config.server.issuer);
    if (req.method === 'GET' && req.accepts(['json', 'html']) === 'html') return this.pages.catch(error, host);
    return writeOAuthError(res, knownError(error), this.config.server.issuer);
  }
}
