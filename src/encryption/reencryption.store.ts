import { Injectable } from '@nestjs/common';
import { IsNull } from 'typeorm';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import { Outbox } from '../platform/outbox/outbox.js';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { ReencryptionEntity } from './reencryption.entity.js';
import type { Advance, ReencryptionRecord } from './reencryption-progress.js';

export const REENCRYPTION_JOB = 're-encryption';

@Injectable()
export class ReencryptionStore {
  constructor(
    private readonly database: Database,
    private readonly audit: AuditLog,
    private readonly outbox: Outbox,
    private readonly clock: Clock,
  ) {}

  /** The one that is under way, or the last one. */
  async latest(): Promise<ReencryptionRecord | undefined> {
    const [row] = await this.database.manager.find(ReencryptionEntity, {
      order: { finishedAt: { direction: 'DESC', nulls: 'FIRST' }, id: 'DESC' },
      take: 1,
    });
    return row && toRecord(row);
  }

  /** The unfinished one towards this key, made if there is none; its job runs soon after. One towards another key ends with that. */
  async begin(targetKey: string): Promise<ReencryptionRecord> {
    return this.database.transaction(async (tx) => {
      await tx.query(`select pg_advisory_xact_lock(hashtext('authplane'), hashtext('re-encryption'))`);
      const now = this.clock.now();
      await tx.query(
        `update reencryptions set finished_at = $2, last_error = 'another key came into force'
         where finished_at is null and target_key <> $1`,
        [targetKey, now],
      );
      const going = await tx.findOneBy(ReencryptionEntity, { finishedAt: IsNull() });
      const row = going ? Object.assign(going, { lastError: null }) : await this.#made(tx, targetKey, now);
      await tx.save(row);
      await this.outbox.put(tx, REENCRYPTION_JOB, uuid7(now), {});
      return toRecord(row);
    });
  }

  async #made(tx: Transaction, targetKey: string, now: Date): Promise<ReencryptionEntity> {
    const row = { id: uuid7(now), targetKey, progress: {}, startedAt: now, updatedAt: now };
    await this.audit.record(tx, { action: 'encryption.reencryption_started', detail: { id: row.id, key: targetKey } });
    return Object.assign(new ReencryptionEntity(), row, { finishedAt: null, lastError: null });
  }

  /**
   * One step. The row is locked for as long as it takes, so that a step is made by one process at a time; a process that dies lets go.
   *
   * @returns undefined when it is finished, or somebody else is at it
   */
  async advance(
    id: string,
    step: (before: ReencryptionRecord) => Promise<Advance>,
  ): Promise<ReencryptionRecord | undefined> {
    return this.database.transaction(async (tx) => {
      const row = await tx.findOne(ReencryptionEntity, {
        where: { id },
        lock: { mode: 'pessimistic_write', onLocked: 'skip_locked' },
      });
      if (!row || row.finishedAt) return undefined;
      const { progress, finished, lastError } = await step(toRecord(row));
      const now = this.clock.now();
      Object.assign(row, { progress, updatedAt: now, finishedAt: finished ? now : null, lastError: lastError ?? null });
      await tx.save(row);
      if (finished) await this.#recordEnd(tx, row);
      return toRecord(row);
    });
  }

  /** Tells why it does not go on. */
  async failed(id: string, lastError: string): Promise<void> {
    await this.database.query(
      `update reencryptions set last_error = $2, updated_at = $3 where id = $1 and finished_at is null`,
      [id, lastError, this.clock.now()],
    );
  }

  async #recordEnd(tx: Transaction, { id, targetKey, progress }: ReencryptionEntity): Promise<void> {
    const columns = Object.values(progress);
    const moved = columns.reduce((sum, column) => sum + column.moved, 0);
    const unreadable = columns.reduce((sum, column) => sum + column.unreadable, 0);
    const detail = { id, key: targetKey, moved, unreadable };
    await this.audit.record(tx, { action: 'encryption.reencryption_finished', detail });
  }
}

const toRecord = ({ finishedAt, lastError, ...row }: ReencryptionEntity): ReencryptionRecord => ({
  ...row,
  finishedAt: finishedAt ?? undefined,
  lastError: lastError ?? undefined,
});
