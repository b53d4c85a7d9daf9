import { Injectable, Logger } from '@nestjs/common';
import { KeptDocumentStore } from './kept-document.store.js';

export interface KeptDocument {
  /** JSON. */
  readonly body: string;
  readonly fetchedAt: Date;
}

/**
 * The last good documents of hosts that an operator trusts, for all replicas: one that has just started need not find their hosts
 * answering. How old a document may be is for whoever reads it to say.
 */
@Injectable()
export class KeptDocuments {
  readonly #log = new Logger(KeptDocuments.name);

  constructor(private readonly store: KeptDocumentStore) {}

  find(url: string): Promise<KeptDocument | undefined> {
    return this.store.find(url);
  }

  /** Never throws: whoever has fetched a document goes on with it. */
  async keep(url: string, document: unknown, fetchedAt: Date): Promise<void> {
    await this.store
      .keep(url, { body: JSON.stringify(document), fetchedAt })
      .catch((error: unknown) => this.#log.warn({ message: 'document not kept', url, error: String(error) }));
  }
}
