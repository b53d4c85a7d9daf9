import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
import { uuid7Floor } from '../platform/uuid7.js';

export interface Stats {
  readonly clients: number;
  readonly users: number;
  /** Issued within the last 24 hours, not expired, not revoked. */
  readonly activeTokens: number;
  /** Revocations that something unexpired may still refer to. */
  readonly revokedTokens: number;
}

const COUNTS = `
  select (select count(*)::int from clients) as "clients",
    (select count(*)::int from users) as "users",
    (select count(*)::int from issuances i where i.jti >= $1 and i.expires_at > $2 and not exists (
      select from revocations r where (r.kind, r.id) in
        (('jti', i.jti::text), ('family', i.family_id::text), ('consent', i.consent_id::text), ('key', i.kid)))) as "activeTokens",
    (select count(*)::int from revocations where kind in ('jti', 'family') and expires_at > $2) as "revokedTokens"`;

/** The one place that counts across what other modules own: it reads, for the operator's first page, and decides nothing. */
@Injectable()
export class StatsStore {
  constructor(private readonly database: Database) {}

  async count(now: Date): Promise<Stats> {
    const yesterday = new Date(now.getTime() - 24 * 60 * 60 * 1000);
    const [row] = await this.database.query<Stats>(COUNTS, [uuid7Floor(yesterday), now]);
    return row ?? { clients: 0, users: 0, activeTokens: 0, revokedTokens: 0 };
  }
}
