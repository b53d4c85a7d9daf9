import { Catch, Injectable, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Response } from 'express';
import { symptoms } from '#libs/oauth';
import { Config } from '../../config/config.js';
import { ErrorPage } from './error.page.js';
import { knownError } from './known-error.js';
import { errorUri } from './oauth-error-filter.js';
import { Pages } from './page.js';
import { requestContext } from './request-context.js';

/** Writes failures a person meets in the browser as a page, never as a redirect. */
@Catch()
@Injectable()
export class PageErrorFilter implements ExceptionFilter {
  constructor(
    private readonly config: Config,
    private readonly pages: Pages,
  ) {}

  catch(error: unknown, host: ArgumentsHost): void {
    const res = host.switchToHttp().getResponse<Response>();
    const known = knownError(error);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    const reasons = Object.keys(symptoms[known.symptom].reasons);
    res.set(known.headers);
    this.pages.send(
      res,
      {
        title: 'Something is not right',
        body: (
          <ErrorPage
            status={known.status}
            description={known.description}
            errorUri={reasons.length > 0 ? errorUri(this.config.server.issuer, known) : undefined}
            requestId={requestContext()?.requestId ?? ''}
          />
        ),
      },
      known.status,
    );
  }
}
