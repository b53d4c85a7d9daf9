import { Injectable, Logger } from '@nestjs/common';
import { CLOCK_SKEW_MILLIS } from '../clock/clock-skew.js';
import { Clock } from '../clock/clock.js';
import { KeptDocumentStore } from './kept-document.store.js';

export interface KeptDocument {
  /** JSON. */
  readonly body: string;
  readonly fetchedAt: Date;
}

/**
 * The last good documents of hosts that an operator trusts, for all replicas: one that has just started need not find their hosts
 * answering. How old a document may be is for whoever reads it to say; one from further ahead than clocks may differ is none: it would be
 * young for ever.
 */
@Injectable()
export class KeptDocuments {
  readonly #log = new Logger(KeptDocuments.name);

  constructor(
    private readonly store: KeptDocumentStore,
    private readonly clock: Clock,
  ) {}

  find(url: string): Promise<KeptDocument | undefined> {
    return this.store.find(url, this.#latest());
  }

  /** Never throws: whoever has fetched a document goes on with it. */
  async keep(url: string, document: unknown, fetchedAt: Date): Promise<void> {
    await this.store
      .keep(url, { body: JSON.stringify(document), fetchedAt }, this.#latest())
      .catch((error: unknown) => this.#log.warn({ message: 'document not kept', url, error: String(error) }));
  }

  #latest(): Date {
    return new Date(this.clock.now().getTime() + CLOCK_SKEW_MILLIS);
  }
}
