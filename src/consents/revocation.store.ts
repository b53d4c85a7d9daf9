import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { RevocationKind } from './revocations.js';

@Injectable()
export class RevocationStore {
  constructor(private readonly database: Database) {}

  /** The first revocation of a thing stays: its reason is the one that is told. */
  async insert(
    kind: RevocationKind,
    ids: readonly string[],
    reason: string,
    at: Date,
    expiresAt: Date,
    tx?: Transaction,
  ): Promise<void> {
    const sql = `insert into revocations (kind, id, reason, at, expires_at)
      select $1, id, $3, $4, $5 from unnest($2::text[]) id on conflict do nothing`;
    const values = [kind, [...ids], reason, at, expiresAt];
    await (tx ? tx.query(sql, values) : this.database.query(sql, values, 'revocations.insert'));
  }

  async sweep(now: Date): Promise<void> {
    await this.database.query('delete from revocations where expires_at < $1', [now]);
  }
}
