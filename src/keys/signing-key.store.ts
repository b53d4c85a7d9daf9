import { Injectable } from '@nestjs/common';
import { signingAlgs } from '#libs/jwt';
import { AuditLog, type AuditFact } from '../audit/audit-log.js';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { KeyRecord } from './key-schedule.js';
import { SigningKeyEntity } from './signing-key.entity.js';

export interface KeyChange {
  /** Every key as it is afterwards. */
  readonly keys: readonly KeyRecord[];
  /** Ends every token signed with it (S5). */
  readonly revoked?: { readonly kid: string; readonly at: Date; readonly expiresAt: Date };
  readonly facts: readonly AuditFact[];
}

@Injectable()
export class SigningKeyStore {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditLog,
  ) {}

  /** Every key there ever was, revoked ones too. */
  async all(): Promise<KeyRecord[]> {
    return (await this.database.manager.find(SigningKeyEntity)).map(toRecord);
  }

  /**
   * Changes the keys; across all replicas one change at a time.
   *
   * @param decide gets all keys; undefined changes nothing
   * @returns the keys as they are afterwards, and whether something was changed
   */
  async change(
    decide: (keys: KeyRecord[]) => Promise<KeyChange | undefined>,
  ): Promise<{ keys: readonly KeyRecord[]; changed: boolean }> {
    return this.database.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('authplane'), hashtext('signing keys'))`);
      const before = (await tx.find(SigningKeyEntity)).map(toRecord);
      const change = await decide(before);
      if (!change) return { keys: before, changed: false };
      await tx.save(change.keys.filter((key) => !before.includes(key)).map(toEntity));
      if (change.revoked) await insertRevocation(tx, change.revoked);
      await this.audit.record(tx, ...change.facts);
      return { keys: change.keys, changed: true };
    });
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

async function insertRevocation(
  tx: Transaction,
  { kid, at, expiresAt }: NonNullable<KeyChange['revoked']>,
): Promise<void> {
  await tx.query(
    `insert into revocations (kind, id, reason, at, expires_at) values ('key', $1, 'key_revoked', $2, $3)
     on conflict (kind, id) do nothing`,
    [kid, at, expiresAt],
  );
}

function toRecord(row: SigningKeyEntity): KeyRecord {
  const alg = signingAlgs.find((known) => known === row.alg);
  if (!alg) throw new Error(`The signing key ${row.kid} has the unknown algorithm ${row.alg}.`);
  return {
    ...row,
    alg,
    sealedPrivateKey: row.sealedPrivateKey ?? undefined,
    transitKey: row.transitKey ?? undefined,
    retiredAt: row.retiredAt ?? undefined,
    publishedUntil: row.publishedUntil ?? undefined,
    revokedAt: row.revokedAt ?? undefined,
  };
}

function toEntity(key: KeyRecord): SigningKeyEntity {
  return Object.assign(new SigningKeyEntity(), key, {
    sealedPrivateKey: key.sealedPrivateKey ?? null,
    transitKey: key.transitKey ?? null,
    retiredAt: key.retiredAt ?? null,
    publishedUntil: key.publishedUntil ?? null,
    revokedAt: key.revokedAt ?? null,
  });
}
