import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
import { AuditEventEntity } from './audit-event.entity.js';
import type { AuditEvent, AuditQuery } from './audit-log.js';
import { INSERT_AUDIT_ROWS } from './audit-rows.js';

@Injectable()
export class AuditStore {
  constructor(private readonly database: Database) {}

  async insert(rowsJson: string): Promise<void> {
    await this.database.query(INSERT_AUDIT_ROWS, [rowsJson], 'audit.insert');
  }

  /** Newest first. An id carries its time, so that a cursor and the window prune partitions. */
  async list(query: AuditQuery & { floor: string; ceiling: string }): Promise<AuditEvent[]> {
    const events = this.database.manager
      .createQueryBuilder(AuditEventEntity, 'e')
      .where('e.id >= :floor and e.id < :ceiling', query)
      .orderBy('e.id', 'DESC')
      .limit(query.limit)
      .offset(query.offset ?? 0);
    if (query.action) events.andWhere('e.action = :action', query);
    if (query.actorId) events.andWhere('e.actor_id = :actorId', query);
    if (query.clientId) events.andWhere('e.client_id = :clientId', query);
    if (query.requestId) events.andWhere('e.request_id = :requestId', query);
    return (await events.getMany()).map((row) => ({
      ...row,
      reason: row.reason ?? undefined,
      actorId: row.actorId ?? undefined,
      clientId: row.clientId ?? undefined,
      ip: row.ip ?? undefined,
      requestId: row.requestId ?? undefined,
    }));
  }
}
