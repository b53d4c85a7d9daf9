import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('audit_seals')
export class AuditSealEntity {
  @PrimaryColumn('timestamptz') hour: Date;
  @Column('integer') events: number;
  @Column('bytea') hash: Buffer;
  @Column('timestamptz', { name: 'made_at' }) madeAt: Date;
}
