import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { IdentityProvider } from './identity-provider.js';
import type { Logout } from './logout-token.js';

/** Sessions as an identity provider's back channel ends them. */
@Injectable()
export class BackchannelLogoutStore {
  constructor(private readonly database: Database) {}

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /**
   * A token's use is stored with what it ends (S7): one that came to nothing, because the database went away, may come again.
   *
   * @returns false when it was used before
   */
  async claim(tx: Transaction, key: Buffer, expiresAt: Date, now: Date): Promise<boolean> {
    const won: unknown[] = await tx.query(
      `insert into used_assertions (key, expires_at) values ($1, $2)
       on conflict (key) do update set expires_at = excluded.expires_at where used_assertions.expires_at <= $3
       returning true as won`,
      [key, expiresAt, now],
    );
    return won.length === 1;
  }

  /** Whom a sign-out concerns: the person whom it names, else whose session it names. */
  async usersOf(
    tx: Transaction,
    { slug, issuer }: IdentityProvider,
    { subject, sessionId }: Logout,
  ): Promise<string[]> {
    const rows: { user_id: string }[] = await (subject === undefined
      ? tx.query(
          'select distinct user_id from sessions where identity_provider = $1 and upstream_session_id = $2 order by user_id',
          [slug, sessionId],
        )
      : tx.query('select user_id from identities where issuer = $1 and subject = $2', [issuer, subject]));
    return rows.map((row) => row.user_id);
  }

  /** Of these users, those that began at this provider; with an id of a session there only that one. @returns how many */
  async end(
    tx: Transaction,
    { slug }: IdentityProvider,
    userIds: readonly string[],
    sessionId: string | undefined,
  ): Promise<number> {
    const [, ended]: [unknown[], number] = await tx.query(
      `delete from sessions where identity_provider = $1 and user_id = any($2::uuid[])
         and ($3::text is null or upstream_session_id = $3)`,
      [slug, userIds, sessionId ?? null],
    );
    return ended;
  }
}
