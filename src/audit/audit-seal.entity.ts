import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('audit_seals')
export class AuditSealEntity {
  @PrimaryColumn('timestamptz') hour: Date;
  @Column('integer') events: number;
  @Column('bytea') hash: Buffer;
  @Column('timestamptz', { name: 'made_at' }) madeAt: Date;
  /** How many of the events are refusals. Null: from before they were sealed apart, as is the next. */
  @Column('integer', { nullable: true }) refusals: number | null;
  @Column('bytea', { name: 'refusals_hash', nullable: true }) refusalsHash: Buffer | null;
}
