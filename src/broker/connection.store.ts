import { Injectable } from '@nestjs/common';
import { Not } from 'typeorm';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConnectionEntity } from './connection.entity.js';
import type { Connection } from './connection.js';
import type { Provider } from './provider.js';

type Place = Pick<Connection, 'id' | 'userId' | 'providerId'>;

/** What a person is about to be stored with as connected. */
interface NewAccount {
  readonly account: string;
  readonly scopes: readonly string[];
  readonly sealedCredential: string;
}

/** What a decision of a person on the connect page stands on. */
export interface Ground {
  readonly session: BrowserSession;
  readonly provider: Provider;
  readonly sourceResourceId?: string;
}

@Injectable()
export class ConnectionStore {
  constructor(private readonly database: Database) {}

  async find(id: string, tx: Transaction = this.database.manager): Promise<Connection | undefined> {
    const row = await tx.findOneBy(ConnectionEntity, { id });
    return row ? toConnection(row) : undefined;
  }

  /** Whether there was one that is disconnected by now. */
  anyEnded(userId: string, providerId: string): Promise<boolean> {
    return this.database.manager.existsBy(ConnectionEntity, { userId, providerId, status: 'disconnected' });
  }

  /** The one that is not disconnected. */
  async current(
    userId: string,
    providerId: string,
    tx: Transaction = this.database.manager,
  ): Promise<Connection | undefined> {
    const row = await tx.findOneBy(ConnectionEntity, { userId, providerId, status: Not('disconnected') });
    return row ? toConnection(row) : undefined;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** Lets one transaction at a time change what a person has at a provider. Taken before any row of it. */
  async lock(tx: Transaction, userId: string, providerId: string): Promise<void> {
    const place = JSON.stringify(['connection', userId, providerId]);
    await tx.query('select pg_advisory_xact_lock(hashtextextended($1, 0))', [place]);
  }

  async allCurrent(tx: Transaction, userId: string): Promise<Connection[]> {
    return (await tx.findBy(ConnectionEntity, { userId, status: Not('disconnected') })).map(toConnection);
  }

  /** Whether what a person decided on still holds (S6); until the commit it stays so. */
  async holds(tx: Transaction, { session, provider, sourceResourceId }: Ground): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      `select from users u, broker_providers p
        where u.id = $1 and u.version = $2 and u.status = 'active' and p.id = $3 and p.updated_at = $4
          and exists (select from sessions where id = $5)
          and ($6::uuid is null or exists (select from resources where id = $6 and backend_kind = 'mint'))
        for share of u, p`,
      [session.user.id, session.user.version, provider.id, provider.updatedAt, session.id, sourceResourceId ?? null],
    );
    return rows.length === 1;
  }

  async insert(tx: Transaction, place: Place, account: NewAccount, now: Date): Promise<void> {
    await tx.insert(ConnectionEntity, {
      ...place,
      ...account,
      scopes: [...account.scopes],
      status: 'active',
      version: '1',
      createdAt: now,
      updatedAt: now,
    });
  }

  /** A connection that is not over gets another credential. @returns its new version */
  async renew(
    tx: Transaction,
    id: string,
    { account, scopes, sealedCredential }: NewAccount,
    now: Date,
  ): Promise<number> {
    const [[row]] = (await tx.query(
      `update connections set account = $2, scopes = $3, sealed_credential = $4, status = 'active', status_reason = null,
          version = version + 1, updated_at = $5, sealed_access_token = null, access_token_expires_at = null, failing_since = null,
          last_failure = null, retry_at = null
        where id = $1 and status <> 'disconnected' returning version`,
      [id, account, scopes, sealedCredential, now],
    )) as [{ version: string }[], number];
    await tx.query('delete from refresh_attempts where connection_id = $1', [id]);
    return Number(row?.version);
  }

  /** Ends a connection; its credential stays until upstream was told. @returns its last version, and the slug of its provider */
  async end(
    tx: Transaction,
    id: string,
    statusReason: string,
    now: Date,
  ): Promise<{ version: number; provider: string }> {
    const [[row]] = (await tx.query(
      `update connections set status = 'disconnected', status_reason = $2, version = version + 1, updated_at = $3, ended_at = $3,
          sealed_access_token = null, access_token_expires_at = null, retry_at = null,
          upstream_revocation = case when sealed_credential is null then null else 'pending' end
        where id = $1 and status <> 'disconnected'
        returning version, (select slug from broker_providers p where p.id = provider_id) as provider`,
      [id, statusReason, now],
    )) as [{ version: string; provider: string }[], number];
    await tx.query('delete from refresh_attempts where connection_id = $1', [id]);
    return { version: Number(row?.version), provider: row?.provider ?? '' };
  }

  /** Upstream gave another credential while it was being told. */
  async keepUntilRevoked(id: string, sealedCredential: string): Promise<void> {
    await this.database.query(
      `update connections set sealed_credential = $2 where id = $1 and upstream_revocation = 'pending'`,
      [id, sealedCredential],
    );
  }

  /** Those that are over since before then, oldest first, of which upstream has still not been told. */
  async overdue(before: Date, limit: number): Promise<string[]> {
    const rows = await this.database.query<{ id: string }>(
      `select id from connections where upstream_revocation = 'pending' and ended_at < $1 order by ended_at limit $2`,
      [before, limit],
    );
    return rows.map(({ id }) => id);
  }

  /** The credential of a connection that is over is forgotten. @returns whose it was; undefined when that was done before */
  async settleRevocation(
    tx: Transaction,
    id: string,
    outcome: 'done' | 'given_up',
    now: Date,
  ): Promise<{ user: string; provider: string } | undefined> {
    const [[row]] = (await tx.query(
      `update connections set upstream_revocation = $2, sealed_credential = null, updated_at = $3
        where id = $1 and upstream_revocation = 'pending' returning user_id as "user", provider_id as provider`,
      [id, outcome, now],
    )) as [{ user: string; provider: string }[], number];
    return row;
  }
}

export const toConnection = (row: ConnectionEntity): Connection => ({
  ...row,
  version: Number(row.version),
  statusReason: row.statusReason ?? undefined,
  sealedCredential: row.sealedCredential ?? undefined,
  sealedAccessToken: row.sealedAccessToken ?? undefined,
  accessTokenExpiresAt: row.accessTokenExpiresAt ?? undefined,
  endedAt: row.endedAt ?? undefined,
  lastRefreshedAt: row.lastRefreshedAt ?? undefined,
  lastUsedAt: row.lastUsedAt ?? undefined,
  lastUsedClientId: row.lastUsedClientId ?? undefined,
  lastUsedOriginClientId: row.lastUsedOriginClientId ?? undefined,
  failingSince: row.failingSince ?? undefined,
  lastFailure: row.lastFailure ?? undefined,
  retryAt: row.retryAt ?? undefined,
  upstreamRevocation: row.upstreamRevocation ?? undefined,
});
