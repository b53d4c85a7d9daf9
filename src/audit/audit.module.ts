import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditEventEntity } from './audit-event.entity.js';
import { AuditLog } from './audit-log.js';
import { AuditStore } from './audit.store.js';

/**
 * Audit — the append-only record of who was granted or refused what.
 * Owns: the table audit_events. Not here: who reads it (admin/), what a refusal means (libs/oauth/symptoms).
 * Holds always: what a request did is committed with it; a flood of refusals never queues before good requests;
 * no row holds a secret, a token or an e-mail address.
 */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AuditEventEntity])],
  providers: [AuditStore, AuditLog],
  exports: [AuditLog],
})
export class AuditModule {}
