import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { AuditEventEntity } from './audit-event.entity.js';
import { AuditLog } from './audit-log.js';
import { AuditSealEntity } from './audit-seal.entity.js';
import { AuditSealJob } from './audit-seal.job.js';
import { AuditSealStore } from './audit-seal.store.js';
import { AuditSeals } from './audit-seals.js';
import { AuditStore } from './audit.store.js';

/**
 * Audit — the append-only record of who was granted or refused what.
 * Owns: the tables audit_events and audit_seals. Not here: who reads it (admin/), what a refusal means (libs/oauth/symptoms).
 * Holds always: what a request did is committed with it; a flood of refusals never queues before good requests;
 * no row holds a secret, a token or an e-mail address; an hour that is over is sealed.
 */
@Global()
@Module({
  imports: [TypeOrmModule.forFeature([AuditEventEntity, AuditSealEntity])],
  providers: [AuditStore, AuditLog, AuditSealStore, AuditSeals, AuditSealJob],
  exports: [AuditLog, AuditSeals],
})
export class AuditModule {}
