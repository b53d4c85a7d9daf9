import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { uuid7Floor } from '../platform/uuid7.js';

/** No access token or code lives longer: what is older need not be looked at. */
const LONGEST_ACCESS_MS = 24 * 3600 * 1000;

/** One minted token as the operator sees it. */
export interface Issuance {
  jti: string;
  grantType: string;
  clientId: string;
  subject: string;
  userId: string | null;
  resourceId: string | null;
  audience: string;
  scopes: string[];
  /** Null for an upstream's token, which is not ours to take back. */
  kid: string | null;
  familyId: string | null;
  consentId: string | null;
  consentClientId: string | null;
  parentJti: string | null;
  agentId: string | null;
  agentChain: string[];
  dpopJkt: string | null;
  issuedAt: Date;
  expiresAt: Date;
  connectionId: string | null;
  /** When the token, one it was made from, or a family, consent or key of theirs was revoked. */
  revokedAt: Date | null;
}

export interface IssuanceFilter {
  userId?: string;
  clientId?: string;
  resourceId?: string;
  jti?: string;
}

export interface Family {
  id: string;
  clientId: string;
  userId: string;
  resourceId: string;
  scopes: string[];
  createdAt: Date;
  expiresAt: Date;
  revokedAt: Date | null;
}

/** Read upward, as introspection reads it: an ancestor's family, consent and key are those of the token, too (S5). */
const ISSUANCE_REVOKED = `(select min(r.at) from revocations r where (r.kind, r.id) in
     (select 'jti', unnest(i.jti || i.ancestors)::text union all
      select s.* from (select i.family_id, i.consent_id, i.kid union all
          select a.family_id, a.consent_id, a.kid from unnest(i.ancestors) as up(jti) join issuances a on a.jti = up.jti) l
        cross join lateral (values ('family', l.family_id::text), ('consent', l.consent_id::text), ('key', l.kid)) s))`;
const FAMILY_REVOKED = `(select min(r.at) from revocations r where (r.kind, r.id) in
     (('family', f.id::text), ('consent', f.consent_id::text)))`;
const ISSUANCE = `i.jti, i.grant_type as "grantType", i.client_id as "clientId", i.subject, i.user_id as "userId",
  i.resource_id as "resourceId", i.audience, i.scopes, i.kid, i.family_id as "familyId", i.consent_id as "consentId",
  i.consent_client_id as "consentClientId", i.parent_jti as "parentJti", i.agent_id as "agentId", i.agent_chain as "agentChain",
  i.dpop_jkt as "dpopJkt", i.issued_at as "issuedAt", i.expires_at as "expiresAt",
  i.connection_id as "connectionId", ${ISSUANCE_REVOKED} as "revokedAt"`;
const FAMILY = `f.id, f.client_id as "clientId", f.user_id as "userId", f.resource_id as "resourceId", f.scopes,
  f.created_at as "createdAt", least(f.expires_at, f.ends_at) as "expiresAt",
  ${FAMILY_REVOKED} as "revokedAt"`;

@Injectable()
export class IssuanceStore {
  constructor(private readonly database: Database) {}

  /** Newest first. @param floor the id from which the window begins, so that older partitions are not read */
  list({ userId, clientId, resourceId, jti }: IssuanceFilter, floor: string, limit: number): Promise<Issuance[]> {
    return this.database.query<Issuance>(
      `select ${ISSUANCE} from issuances i
        where i.jti >= $1 and ($2::uuid is null or i.user_id = $2) and ($3::text is null or i.client_id = $3)
          and ($4::uuid is null or i.resource_id = $4) and ($5::uuid is null or i.jti = $5)
        order by i.jti desc limit $6`,
      [floor, userId ?? null, clientId ?? null, resourceId ?? null, jti ?? null, limit],
    );
  }

  /** Live families of a person or a client, newest first. */
  families(of: { userId?: string; clientId?: string }, now: Date, limit: number, offset: number): Promise<Family[]> {
    return this.database.query<Family>(
      `select ${FAMILY} from families f
        where ($1::uuid is null or f.user_id = $1) and ($2::text is null or f.client_id = $2) and least(f.expires_at, f.ends_at) > $3
        order by f.id desc limit $4 offset $5`,
      [of.userId ?? null, of.clientId ?? null, now, limit, offset],
    );
  }

  /** Whether a person or a client has a family, or an access token that need not have one, neither expired nor revoked. */
  async anyAlive({ userId, clientId }: { userId?: string; clientId?: string }, now: Date): Promise<boolean> {
    const rows = await this.database.query(
      `select from families f
        where ($1::uuid is null or f.user_id = $1) and ($2::text is null or f.client_id = $2)
          and least(f.expires_at, f.ends_at) > $3 and ${FAMILY_REVOKED} is null
       union all
       select from issuances i
        where ($1::uuid is null or i.user_id = $1) and ($2::text is null or i.client_id = $2)
          and i.jti >= $4 and i.expires_at > $3 and ${ISSUANCE_REVOKED} is null
       limit 1`,
      [userId ?? null, clientId ?? null, now, accessFloor(now)],
    );
    return rows.length > 0;
  }

  async family(id: string): Promise<Family | undefined> {
    const [row] = await this.database.query<Family>(`select ${FAMILY} from families f where f.id = $1`, [id]);
    return row;
  }

  /**
   * Ends everything a person is signed in to: live families, families of access tokens that no refresh token stands beside, and those
   * that codes on their way would begin.
   *
   * @returns how many it ended
   */
  async revokeFamiliesOfUser(
    tx: Transaction,
    userId: string,
    { reason, now, expiresAt }: { reason: string; now: Date; expiresAt: Date },
  ): Promise<number> {
    const rows: unknown[] = await tx.query(
      `insert into revocations (kind, id, reason, at, expires_at)
       select 'family', id::text, $2, $3, $4 from (
         select id from families where user_id = $1 and least(expires_at, ends_at) > $3
         union select family_id from issuances where user_id = $1 and expires_at > $3 and family_id is not null and jti >= $5
         union select family_id from authorization_codes where user_id = $1 and expires_at > $3 and id >= $5) as living(id)
       on conflict do nothing returning id`,
      [userId, reason, now, expiresAt, accessFloor(now)],
    );
    return rows.length;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const accessFloor = (now: Date): string => uuid7Floor(new Date(now.getTime() - LONGEST_ACCESS_MS));
