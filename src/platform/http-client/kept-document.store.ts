import { Injectable } from '@nestjs/common';
import { Database } from '../postgres/database.js';
import type { KeptDocument } from './kept-documents.js';

@Injectable()
export class KeptDocumentStore {
  constructor(private readonly database: Database) {}

  async find(url: string): Promise<KeptDocument | undefined> {
    const [row] = await this.database.query<KeptDocument>(
      'select body, fetched_at as "fetchedAt" from kept_documents where url = $1',
      [url],
      'kept_documents.find',
    );
    return row;
  }

  /** What another replica fetched later stays. */
  async keep(url: string, { body, fetchedAt }: KeptDocument): Promise<void> {
    await this.database.query(
      `insert into kept_documents (url, body, fetched_at) values ($1, $2, $3)
       on conflict (url) do update set body = excluded.body, fetched_at = excluded.fetched_at
        where kept_documents.fetched_at <= excluded.fetched_at`,
      [url, body, fetchedAt],
      'kept_documents.keep',
    );
  }
}
