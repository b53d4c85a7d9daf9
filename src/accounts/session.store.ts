import { Injectable } from '@nestjs/common';
import { MoreThan } from 'typeorm';
import { insertAudit } from '../audit/audit-rows.js';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { NewStanding } from './identity-standing.js';
import { SessionEntity } from './session.entity.js';
import type { User } from './user.js';

export interface NewSession {
  readonly id: string;
  readonly secretHash: Buffer;
  readonly userId: string;
  readonly userAgent: string;
  /** Of whoever an identity provider said this is. */
  readonly standing?: NewStanding;
  readonly createdAt: Date;
  readonly expiresAt: Date;
}

export interface SessionRow {
  readonly id: string;
  readonly secretHash: Buffer;
  readonly identityProvider?: string;
  readonly createdAt: Date;
  readonly user: User;
}

/** A session as its owner sees it in a list. */
export interface SessionView {
  readonly id: string;
  readonly userAgent: string;
  readonly createdAt: Date;
}

/** What a session is opened on top of. */
export interface Opening {
  /** The session this browser had; it ends. */
  readonly former?: { readonly id: string; readonly hash: Buffer };
  /** The hash the password was checked against; not the user's any more: no session. */
  readonly passwordHash?: string;
  /** From `AuditLog.rows(…)`. */
  readonly auditRows: string;
}

@Injectable()
export class SessionStore {
  constructor(private readonly database: Database) {}

  /**
   * Opens a session for a user who is active and still has that password, ends the former one of this browser, and sweeps the
   * user's expired ones. The user's row is locked first, as in every change of a user: a password that is being changed cannot
   * open a session that outlives the change. An identity that was taken away meanwhile opens none.
   *
   * @returns false when nothing was opened
   */
  async open(session: NewSession, { former, passwordHash, auditRows }: Opening): Promise<boolean> {
    const { standing } = session;
    const rows = await this.database.query(OPEN, [
      session.id,
      session.secretHash,
      session.userId,
      session.userAgent,
      session.createdAt,
      session.expiresAt,
      passwordHash ?? null,
      former?.id ?? null,
      former?.hash ?? null,
      auditRows,
      standing?.provider ?? null,
      standing?.sessionId ?? null,
      standing?.identityId ?? null,
      standing?.groups ?? null,
      standing?.rechecks ?? false,
      standing?.sealedRefreshToken ?? null,
    ]);
    return rows.length === 1;
  }

  /** The session and its user as they are now: not expired, the user active. */
  async find(id: string, now: Date): Promise<SessionRow | undefined> {
    const [row] = await this.database.query<FindRow>(FIND, [id, now], 'sessions.find');
    if (!row) return undefined;
    const { id: sessionId, secret_hash, created_at, identity_provider, user } = row;
    const identityProvider = identity_provider ?? undefined;
    return { id: sessionId, secretHash: secret_hash, identityProvider, createdAt: created_at, user: toUser(user) };
  }

  /** Newest first, expired ones left out. */
  async ofUser(userId: string, now: Date): Promise<SessionView[]> {
    const rows = await this.database.manager.find(SessionEntity, {
      where: { userId, expiresAt: MoreThan(now) },
      order: { id: 'DESC' },
    });
    return rows.map(({ id, userAgent, createdAt }) => ({ id, userAgent, createdAt }));
  }

  /** @returns whether it was there; the audit rows are stored only then */
  async end(userId: string, id: string, auditRows: string): Promise<boolean> {
    return (await this.database.query(END, [userId, id, auditRows])).length === 1;
  }

  /** @returns how many ended; the audit rows are stored only if any did */
  async endAll(userId: string, exceptId: string | undefined, auditRows: string): Promise<number> {
    return (await this.database.query(END_ALL, [userId, exceptId ?? null, auditRows])).length;
  }

  /** Inside a change of how the user stands at an identity provider: those that began there. */
  async removeOfProvider(tx: Transaction, userId: string, identityProvider: string): Promise<void> {
    await tx.delete(SessionEntity, { userId, identityProvider });
  }

  /** Inside a change of the user that no session survives. */
  async removeAll(tx: Transaction, userId: string): Promise<void> {
    await tx.delete(SessionEntity, { userId });
  }
}

/**
 * Whoever takes an identity away is waited for, and then opens none: the update of its row sees to that, a look at it would not. Where
 * groups give scopes, whoever is about to issue for somebody who stands otherwise by now decides again (S6).
 */
const OPEN = `
  with former as (
    select provider, groups from identities where user_id = $3::uuid and provider is not null
     order by checked_at desc nulls last, created_at desc limit 1
  ), standing as (
    update identities set provider = $11, groups = $14::text[], checked_at = $5::timestamptz, refused_at = null,
           check_began_at = null, check_again_at = null,
           sealed_refresh_token = case when not $15::boolean then null when $16::text is not null then $16
             when refused_at is null then sealed_refresh_token end
     where id = $13::uuid and user_id = $3::uuid and exists (select from users where id = $3 and status = 'active')
    returning id
  ), opened as (
    insert into sessions (id, secret_hash, user_id, user_agent, created_at, expires_at, identity_provider, upstream_session_id)
    select $1::uuid, $2::bytea, u.id, $4::text, $5::timestamptz, $6::timestamptz, $11::text, $12::text
    from users u
    where u.id = $3 and u.status = 'active' and ($7::text is null or u.password_hash = $7)
      and ($13::uuid is null or exists (select from standing))
    for share of u
    returning id, user_id
  ), policies as (
    update policy_epoch set epoch = epoch + 1
     where $13::uuid is not null and exists (select from opened) and exists (select from group_scopes)
       and not exists (select from former where provider = $11 and groups is not distinct from $14::text[])
  ), ended as (
    delete from sessions s using opened o
    where (s.id = $8::uuid and s.secret_hash = $9::bytea) or (s.user_id = o.user_id and s.expires_at <= $5::timestamptz)
  ), recorded as (
    ${insertAudit('$10', 'exists (select from opened)')}
  )
  select id from opened`;

const FIND = `
  select s.id, s.secret_hash, s.created_at, s.identity_provider,
    json_build_object('id', u.id, 'email', u.email, 'name', u.name, 'role', u.role, 'status', u.status,
      'provider', u.provider, 'version', u.version, 'createdAt', u.created_at) as "user"
  from sessions s join users u on u.id = s.user_id
  where s.id = $1 and s.expires_at > $2 and u.status = 'active'`;

const END = `
  with ended as (delete from sessions where user_id = $1 and id = $2 returning id),
    recorded as (${insertAudit('$3', 'exists (select from ended)')})
  select id from ended`;

const END_ALL = `
  with ended as (delete from sessions where user_id = $1 and ($2::uuid is null or id <> $2::uuid) returning id),
    recorded as (${insertAudit('$3', 'exists (select from ended)')})
  select id from ended`;

interface FindRow {
  readonly id: string;
  readonly secret_hash: Buffer;
  readonly created_at: Date;
  readonly identity_provider: string | null;
  readonly user: Omit<User, 'email' | 'createdAt'> & { readonly email: string | null; readonly createdAt: string };
}

const toUser = ({ email, createdAt, ...user }: FindRow['user']): User => ({
  ...user,
  email: email ?? undefined,
  createdAt: new Date(createdAt),
});
