import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConnectionConsentEntity } from './connection-consent.entity.js';
import type { ConnectionConsent } from './connection.js';

export type ConsentPlace = Pick<ConnectionConsent, 'userId' | 'providerId' | 'sourceResourceId'>;

/** Whose consents end. */
export interface EndedPlace extends Omit<ConsentPlace, 'sourceResourceId'> {
  /** Absent: for every MCP server. */
  readonly sourceResourceId?: string;
  /** The MCP server that keeps what it has. */
  readonly except?: string;
}

@Injectable()
export class ConnectionConsentStore {
  constructor(private readonly database: Database) {}

  /** The one in force. */
  async current(
    { userId, providerId, sourceResourceId }: ConsentPlace,
    tx: Transaction = this.database.manager,
  ): Promise<ConnectionConsent | undefined> {
    const inForce = { userId, providerId, sourceResourceId, supersededAt: IsNull(), revokedAt: IsNull() };
    const row = await tx.findOneBy(ConnectionConsentEntity, inForce);
    return row ? toConsent(row) : undefined;
  }

  async find(id: string): Promise<ConnectionConsent | undefined> {
    const row = await this.database.manager.findOneBy(ConnectionConsentEntity, { id });
    return row ? toConsent(row) : undefined;
  }

  async replace(tx: Transaction, former: ConnectionConsent | undefined, consent: ConnectionConsent): Promise<void> {
    if (former) await tx.update(ConnectionConsentEntity, { id: former.id }, { supersededAt: consent.createdAt });
    await tx.insert(ConnectionConsentEntity, {
      ...consent,
      scopes: [...consent.scopes],
      supersededAt: null,
      revokedAt: null,
    });
  }

  /**
   * Ends every consent of the place, superseded ones too: a vend may be under way on one.
   *
   * @returns those that were in force
   */
  async end(
    tx: Transaction,
    { userId, providerId, sourceResourceId, except }: EndedPlace,
    now: Date,
  ): Promise<{ id: string; sourceResourceId: string }[]> {
    const [rows] = (await tx.query(
      `update connection_consents set revoked_at = $4
        where user_id = $1 and provider_id = $2 and ($3::uuid is null or source_resource_id = $3)
          and ($5::uuid is null or source_resource_id <> $5) and revoked_at is null
        returning id, source_resource_id as "sourceResourceId", superseded_at as "supersededAt"`,
      [userId, providerId, sourceResourceId ?? null, now, except ?? null],
    )) as [{ id: string; sourceResourceId: string; supersededAt: Date | null }[], number];
    return rows.filter(({ supersededAt }) => supersededAt === null);
  }
}

const toConsent = (row: ConnectionConsentEntity): ConnectionConsent => ({
  ...row,
  supersededAt: row.supersededAt ?? undefined,
  revokedAt: row.revokedAt ?? undefined,
});
