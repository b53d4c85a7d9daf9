import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { violatedUnique } from '../platform/postgres/database-away.js';
import { readPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import type { TrustedIdp, XaaPolicy } from './trust.js';

const IDPS = `select id, name, issuer, kind, jwks_uri as "jwksUri", audience, enabled, replay, keys_from as "keysFrom",
    created_at as "createdAt", updated_at as "updatedAt" from trusted_idps`;

const POLICIES = `select id, name, idp_id as "idpId", client_ids as "clientIds", scopes, resources, groups, conditions,
    subject_by as "subjectBy", expires_at as "expiresAt", enabled, created_at as "createdAt", updated_at as "updatedAt" from xaa_policies`;

@Injectable()
export class TrustStore {
  constructor(private readonly database: Database) {}

  epoch(): Promise<number> {
    return readPolicyEpoch(this.database);
  }

  async idps(): Promise<TrustedIdp[]> {
    return (await this.database.query<Row<TrustedIdp>>(`${IDPS} order by id`)).map(toIdp);
  }

  async policies(): Promise<XaaPolicy[]> {
    return (await this.database.query<Row<XaaPolicy>>(`${POLICIES} order by id`)).map(toPolicy);
  }

  /** Locks the row until the transaction ends. */
  async lockIdp(tx: Transaction, id: string): Promise<TrustedIdp | undefined> {
    const [row]: Row<TrustedIdp>[] = await tx.query(`${IDPS} where id = $1 for update`, [id]);
    return row && toIdp(row);
  }

  async lockPolicy(tx: Transaction, id: string): Promise<XaaPolicy | undefined> {
    const [row]: Row<XaaPolicy>[] = await tx.query(`${POLICIES} where id = $1 for update`, [id]);
    return row && toPolicy(row);
  }

  /** @returns false when another one has the issuer; the transaction is lost then */
  async saveIdp(tx: Transaction, idp: TrustedIdp): Promise<boolean> {
    const { id, name, issuer, kind, jwksUri, audience, enabled, replay, keysFrom, createdAt, updatedAt } = idp;
    try {
      await tx.query(
        `insert into trusted_idps (id, name, issuer, kind, jwks_uri, audience, enabled, replay, keys_from, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
         on conflict (id) do update set name = $2, issuer = $3, kind = $4, jwks_uri = $5, audience = $6, enabled = $7,
           replay = $8, keys_from = $9, updated_at = $11`,
        [id, name, issuer, kind, jwksUri ?? null, audience ?? null, enabled, replay, keysFrom, createdAt, updatedAt],
      );
      return true;
    } catch (error) {
      if (violatedUnique(error) === 'trusted_idps_issuer_key') return false;
      throw error;
    }
  }

  async savePolicy(tx: Transaction, policy: XaaPolicy): Promise<void> {
    const { id, name, idpId, clientIds, scopes, resources, groups, conditions, subjectBy } = policy;
    const { expiresAt = null, enabled, createdAt, updatedAt } = policy;
    const values = [id, name, idpId, clientIds, scopes, resources, groups, JSON.stringify(conditions), subjectBy];
    await tx.query(
      `insert into xaa_policies (id, name, idp_id, client_ids, scopes, resources, groups, conditions, subject_by, expires_at,
         enabled, created_at, updated_at)
       values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
       on conflict (id) do update set name = $2, client_ids = $4, scopes = $5, resources = $6, groups = $7, conditions = $8,
         subject_by = $9, expires_at = $10, enabled = $11, updated_at = $13`,
      [...values, expiresAt, enabled, createdAt, updatedAt],
    );
  }

  async remove(tx: Transaction, table: 'trusted_idps' | 'xaa_policies', id: string): Promise<void> {
    await tx.query(`delete from ${table} where id = $1`, [id]);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

/** What is absent is null in a row. */
type Row<T> = { [K in keyof T]: undefined extends T[K] ? Exclude<T[K], undefined> | null : T[K] };

const toIdp = ({ jwksUri, audience, ...row }: Row<TrustedIdp>): TrustedIdp => ({
  ...row,
  jwksUri: jwksUri ?? undefined,
  audience: audience ?? undefined,
});

const toPolicy = ({ expiresAt, ...row }: Row<XaaPolicy>): XaaPolicy => ({ ...row, expiresAt: expiresAt ?? undefined });
