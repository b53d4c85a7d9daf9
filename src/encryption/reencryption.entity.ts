import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Progress } from './reencryption-progress.js';

@Entity('reencryptions')
export class ReencryptionEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'target_key' }) targetKey: string;
  @Column('jsonb') progress: Progress;
  @Column('timestamptz', { name: 'started_at' }) startedAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
  @Column('timestamptz', { name: 'finished_at', nullable: true }) finishedAt: Date | null;
  @Column('text', { name: 'last_error', nullable: true }) lastError: string | null;
}
