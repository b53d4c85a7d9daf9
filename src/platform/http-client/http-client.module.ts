import { Global, Module } from '@nestjs/common';
import { GuardedFetch } from './guarded-fetch.js';

/**
 * HTTP client — every request this server makes.
 * Owns: `GuardedFetch`, the only way out. Not here: caching, what a document must say, how often to ask again.
 * Holds always: no redirect is followed, only addresses that were checked are dialled, time and size are bounded,
 * certificates are verified (a private CA: NODE_EXTRA_CA_CERTS).
 */
@Global()
@Module({
  providers: [{ provide: GuardedFetch, useFactory: () => new GuardedFetch() }],
  exports: [GuardedFetch],
})
export class HttpClientModule {}
