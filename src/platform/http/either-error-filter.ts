import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthErrorFilter } from './oauth-error-filter.js';
import { PageErrorFilter } from './page-error-filter.js';

/** Whether a program asks, not a person's browser: no form sends a DELETE, and no browser prefers JSON when it opens a page. */
export const wantsJson = (req: Request): boolean => req.method === 'DELETE' || req.accepts(['html', 'json']) === 'json';

/** Failures where a page and a JSON document live at one address. */
@Catch()
@Injectable()
export class EitherErrorFilter implements ExceptionFilter {
  constructor(
    private readonly pages: PageErrorFilter,
    private readonly json: OAuthErrorFilter,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const filter = wantsJson(host.switchToHttp().getRequest<Request>()) ? this.json : this.pages;
    filter.catch(error, host);
  }
}
