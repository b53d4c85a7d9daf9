import { Injectable } from '@nestjs/common';
import { Database } from '../postgres/database.js';
import type { KeptDocument } from './kept-documents.js';

@Injectable()
export class KeptDocumentStore {
  constructor(private readonly database: Database) {}

  /** @param latest what says that it was fetched later was written by a wrong clock */
  async find(url: string, latest: Date): Promise<KeptDocument | undefined> {
    const [row] = await this.database.query<KeptDocument>(
      'select body, fetched_at as "fetchedAt" from kept_documents where url = $1 and fetched_at <= $2',
      [url, latest],
      'kept_documents.find',
    );
    return row;
  }

  /** What another replica fetched later stays, but not what says that it was fetched after `latest`. */
  async keep(url: string, { body, fetchedAt }: KeptDocument, latest: Date): Promise<void> {
    await this.database.query(
      `insert into kept_documents (url, body, fetched_at) values ($1, $2, $3)
       on conflict (url) do update set body = excluded.body, fetched_at = excluded.fetched_at
        where kept_documents.fetched_at <= excluded.fetched_at or kept_documents.fetched_at > $4`,
      [url, body, fetchedAt, latest],
      'kept_documents.keep',
    );
  }
}
