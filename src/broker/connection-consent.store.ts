import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConnectionConsentEntity } from './connection-consent.entity.js';
import type { ConnectionConsent } from './connection.js';

export type ConsentPlace = Pick<ConnectionConsent, 'userId' | 'providerId' | 'sourceResourceId'>;

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
    return row ? { ...row, supersededAt: undefined, revokedAt: undefined } : undefined;
  }
}
