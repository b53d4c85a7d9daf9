import { Global, Module } from '@nestjs/common';
import { Breakers } from '../breaker/breakers.js';
import { GuardedFetch } from './guarded-fetch.js';
import { HostBreakers } from './host-breakers.js';
import { KeptDocumentStore } from './kept-document.store.js';
import { KeptDocuments } from './kept-documents.js';

/** A way out whose breakers are counted. */
const guardedFetch = (breakers: Breakers): GuardedFetch => new GuardedFetch(undefined, new HostBreakers(breakers));

/**
 * HTTP client — every request this server makes.
 * Owns: `GuardedFetch`, the only way out, and a breaker for each host; the table kept_documents. Not here: caching, what a document must
 * say and how old it may be, how often to ask again.
 * Holds always: no redirect is followed, only addresses that were checked are dialled, time and size are bounded,
 * certificates are verified (a private CA: NODE_EXTRA_CA_CERTS).
 */
@Global()
@Module({
  providers: [
    { provide: GuardedFetch, inject: [Breakers], useFactory: guardedFetch },
    KeptDocumentStore,
    KeptDocuments,
  ],
  exports: [GuardedFetch, KeptDocuments],
})
export class HttpClientModule {}
