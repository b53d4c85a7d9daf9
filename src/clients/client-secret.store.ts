import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { MAX_KEPT_SECRETS, type StoredSecret } from './client-secret.js';
import { ClientSecretEntity } from './client-secret.entity.js';

export interface EndingSecret {
  readonly id: string;
  readonly clientId: string;
  readonly expiresAt: Date;
  /** The client has a newer one. */
  readonly replaced: boolean;
}

@Injectable()
export class ClientSecretStore {
  constructor(private readonly database: Database) {}

  /** The secrets of a client, newest first; at most `MAX_KEPT_SECRETS`. */
  ofClient(clientId: string): Promise<StoredSecret[]> {
    return this.database.query<StoredSecret>(OF_CLIENT, [clientId], 'client_secrets.of_client');
  }

  /**
   * Adds a secret and ends what it replaces (P10): the newest one lives on until `overlapEndsAt` (or its own earlier end), all
   * others end now. Ended rows are kept for a while, only to tell an expired secret from a wrong one.
   */
  async add(tx: Transaction, clientId: string, secret: StoredSecret, overlapEndsAt: Date): Promise<void> {
    await tx.query(RETIRE, [clientId, secret.createdAt, overlapEndsAt]);
    await tx.insert(ClientSecretEntity, { ...secret, clientId });
    await tx.query(FORGET, [clientId, MAX_KEPT_SECRETS]);
  }

  /**
   * The secrets that reached one of the thresholds by now, each given out once for each, to one replica. That a rotation left it less time
   * than that from the beginning is no news to whoever rotated.
   *
   * @param thresholds days before the end
   */
  async remind(tx: Transaction, thresholds: readonly number[], now: Date): Promise<EndingSecret[]> {
    const [rows] = (await tx.query(REMIND, [now, thresholds])) as [EndingSecret[], number];
    return rows;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const OF_CLIENT = `
  select id, secret_hash as "secretHash", pepper_id as "pepperId", created_at as "createdAt", expires_at as "expiresAt"
  from client_secrets where client_id = $1 order by created_at desc, id desc`;

const RETIRE = `
  with ranked as (
    select id, row_number() over (order by created_at desc, id desc) as age
    from client_secrets where client_id = $1 and (expires_at is null or expires_at > $2::timestamptz)
  )
  update client_secrets s set expires_at = least(s.expires_at, case when ranked.age = 1 then $3::timestamptz else $2::timestamptz end)
  from ranked where ranked.id = s.id`;

const FORGET = `
  delete from client_secrets where id in (
    select id from client_secrets where client_id = $1 order by created_at desc, id desc offset $2
  )`;

const REMIND = `
  with dated as (
    select id, client_id, expires_at, lead(id) over by_age is not null as replaced,
           coalesce(lead(created_at) over by_age, created_at) as decided_at
      from client_secrets where client_id in (select client_id from client_secrets where expires_at > $1::timestamptz)
    window by_age as (partition by client_id order by created_at, id)),
  due as (
    select d.id, d.replaced, min(days) as days
      from dated d join clients c on c.id = d.client_id and c.status <> 'revoked'
      cross join unnest($2::int[]) days cross join make_interval(days => days) as ahead
     where d.expires_at > $1 and d.expires_at <= $1 + ahead and d.expires_at > d.decided_at + ahead
     group by d.id, d.replaced)
  update client_secrets s set reminded_days = due.days from due
   where s.id = due.id and (s.reminded_days is null or s.reminded_days > due.days)
  returning s.id, s.client_id as "clientId", s.expires_at as "expiresAt", due.replaced`;
