import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { MAX_KEPT_SECRETS, type StoredSecret } from './client-secret.js';
import { ClientSecretEntity } from './client-secret.entity.js';

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
