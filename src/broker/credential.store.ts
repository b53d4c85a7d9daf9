import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConnectionEntity } from './connection.entity.js';
import type { Connection } from './connection.js';
import { toConnection } from './connection.store.js';
import { LONGEST_REFRESH_MILLIS } from './connectors/connector.js';

/** What a refresh made of a connection. */
export interface Refreshed {
  readonly scopes: readonly string[];
  /** Absent: upstream gave no new one. */
  readonly sealedCredential?: string;
  /** Absent: it is not kept. */
  readonly sealedAccessToken?: string;
  readonly accessTokenExpiresAt?: Date;
}

/** A connection that nobody else refreshes meanwhile. */
export interface HeldConnection {
  readonly connection: Connection;
  /** A refresh with the credential that it has was begun before, and nobody knows what upstream made of it. */
  readonly outcomeUnknown: boolean;
}

/** Longer than a refresh may take, and what it gave to be sealed: who holds a connection and is gone without a word lets go of it then. */
const LONGEST_HOLD_MILLIS = LONGEST_REFRESH_MILLIS + 15_000;

const SET_REFRESHED = `
  with replaced as (
    update connections set version = version + 1, scopes = $3, sealed_credential = coalesce($4, sealed_credential),
           sealed_access_token = $5, access_token_expires_at = $6, last_refreshed_at = $7, updated_at = $7,
           failing_since = null, last_failure = null, retry_at = null
     where id = $1 and version = $2 and status = 'active' returning id),
  known as (delete from refresh_attempts where connection_id in (select id from replaced))
  select id from replaced`;

/** Credentials of connections, as they are used and replaced: by one at a time, over all processes. */
@Injectable()
export class CredentialStore {
  constructor(private readonly database: Database) {}

  /**
   * Runs `work` while nobody else holds the connection. What it stores by `tx` is committed with its end.
   *
   * @param work may be run twice, as in `Database.transaction`
   * @returns undefined, at once, when somebody else holds it
   */
  exclusively<T>(id: string, work: (held: HeldConnection, tx: Transaction) => Promise<T>): Promise<T | undefined> {
    return this.database.transaction(async (tx) => {
      await tx.query(`set local idle_in_transaction_session_timeout = ${LONGEST_HOLD_MILLIS}`);
      // The weakest lock that excludes others: marks refer to the row, and are committed meanwhile.
      const row = await tx.findOne(ConnectionEntity, {
        where: { id },
        lock: { mode: 'for_no_key_update', onLocked: 'skip_locked' },
      });
      if (!row) return undefined;
      const marks: unknown[] = await tx.query(
        'select from refresh_attempts where connection_id = $1 and version = $2',
        [id, row.version],
      );
      return work({ connection: toConnection(row), outcomeUnknown: marks.length > 0 }, tx);
    });
  }

  /**
   * Says, before upstream is asked, that it will be: committed at once, beside the transaction that holds the connection, so that it
   * outlives a crash.
   */
  async mark({ id, version }: Connection, now: Date): Promise<void> {
    await this.database.query(
      `insert into refresh_attempts (connection_id, version, started_at) values ($1, $2, $3)
       on conflict (connection_id) do update set version = excluded.version, started_at = excluded.started_at`,
      [id, version, now],
      'refreshes.mark',
    );
  }

  /** Upstream did certainly not act on the credential. */
  async unmark(tx: Transaction, { id }: Connection): Promise<void> {
    await tx.query('delete from refresh_attempts where connection_id = $1', [id]);
  }

  /**
   * Stores what upstream gave, and that its outcome is known. Doing it again is the same as once.
   *
   * @returns false when the connection is another by now: nothing is stored on an older version
   */
  async replaceCredential(
    { id, version }: Connection,
    refreshed: Refreshed,
    now: Date,
    tx: Transaction = this.database.manager,
  ): Promise<boolean> {
    const { scopes, sealedCredential, sealedAccessToken = null, accessTokenExpiresAt: until = null } = refreshed;
    const credential = sealedCredential ?? null;
    const values = [id, version, scopes, credential, sealedAccessToken, until, now];
    const replaced: unknown[] = await tx.query(SET_REFRESHED, values);
    if (replaced.length === 1 || sealedCredential === undefined) return replaced.length === 1;
    const same = { id, version: String(version + 1), sealedCredential };
    return (await tx.findOneBy(ConnectionEntity, same)) !== null;
  }

  /** Terminal until the person connects again: upstream is asked nothing more. */
  async requireReconnect(tx: Transaction, connection: Connection, reason: string, now: Date): Promise<void> {
    await tx.query(
      `update connections set status = 'reconnect_required', status_reason = $2, version = version + 1, updated_at = $3,
              sealed_access_token = null, access_token_expires_at = null, failing_since = null, last_failure = null, retry_at = null
        where id = $1`,
      [connection.id, reason, now],
    );
    await this.unmark(tx, connection);
  }

  /** @param retryAt before this, upstream is not asked again */
  async setFailing(tx: Transaction, { id }: Connection, why: string, now: Date, retryAt?: Date): Promise<void> {
    await tx.query(
      'update connections set failing_since = coalesce(failing_since, $2), last_failure = $3, retry_at = $4 where id = $1',
      [id, now, why, retryAt ?? null],
    );
  }

  async setWorking(tx: Transaction, { id }: Connection): Promise<void> {
    await tx.query('update connections set failing_since = null, last_failure = null, retry_at = null where id = $1', [
      id,
    ]);
  }
}
