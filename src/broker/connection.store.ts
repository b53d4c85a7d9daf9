import { Injectable } from '@nestjs/common';
import { Not } from 'typeorm';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { ConnectionEntity } from './connection.entity.js';
import type { Connection } from './connection.js';

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
  failingSince: row.failingSince ?? undefined,
  lastFailure: row.lastFailure ?? undefined,
  retryAt: row.retryAt ?? undefined,
  upstreamRevocation: row.upstreamRevocation ?? undefined,
});
