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

/** What the metrics tell of the whole database. */
export interface RecordCounts {
  readonly activeClients: number;
  readonly activeFamilies: number;
  /** Clients that will have no secret left, by the number of days until then. */
  readonly secretsExpiring: Readonly<Record<string, number>>;
  /** ISO 8601; null: this server knows of none. */
  readonly lastBackup: string | null;
}

/** Of a secret that is followed by another, or by none, nobody has to be told. */
const RECORDS = `
  with last_secrets as (
    select max(coalesce(s.expires_at, 'infinity')) as ends from client_secrets s join clients c on c.id = s.client_id
     where c.status = 'active' group by s.client_id)
  select (select count(*)::int from clients where status = 'active') as "activeClients",
    (select count(*)::int from families f where f.expires_at > $1 and f.ends_at > $1 and not exists (
      select from revocations r where r.kind = 'family' and r.id = f.id::text)) as "activeFamilies",
    (select jsonb_object_agg(d, (select count(*) from last_secrets where ends > $1 and ends <= $1 + make_interval(days => d)))
       from unnest(array[1, 7, 30]) d) as "secretsExpiring",
    (select value ->> 'at' from settings where key = 'last_backup') as "lastBackup"`;

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

  async records(now: Date): Promise<RecordCounts | undefined> {
    const [row] = await this.database.query<RecordCounts>(RECORDS, [now], 'stats.records');
    return row;
  }

  async count(now: Date): Promise<Stats> {
    const yesterday = new Date(now.getTime() - 24 * 60 * 60 * 1000);
    const [row] = await this.database.query<Stats>(COUNTS, [uuid7Floor(yesterday), now]);
    return row ?? { clients: 0, users: 0, activeTokens: 0, revokedTokens: 0 };
  }
}
