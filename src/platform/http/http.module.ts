import { Global, Module } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { EdgeFilter } from './edge-filter.js';
import { EitherErrorFilter } from './either-error-filter.js';
import { OAuthErrorFilter } from './oauth-error-filter.js';
import { PageErrorFilter } from './page-error-filter.js';
import { Pages } from './page.js';
import { ProblemFilter } from './problem-filter.js';
import { Throughput } from './throughput.js';

/**
 * Http — how requests come in and failures go out.
 * Owns: the two listeners, request ids, CORS, the Host check, how much may be asked for, bodies and forms, the three shapes of an error, the frame of pages.
 * Not here: any route.
 * Holds always: a path of one listener is unknown on the other; an unexpected error tells the caller nothing.
 */
@Global()
@Module({
  providers: [
    Throughput,
    Pages,
    OAuthErrorFilter,
    PageErrorFilter,
    EitherErrorFilter,
    ProblemFilter,
    { provide: APP_FILTER, useClass: EdgeFilter },
  ],
  exports: [Throughput, Pages, OAuthErrorFilter, PageErrorFilter, EitherErrorFilter, ProblemFilter],
})
export class HttpModule {}
