import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('identities')
export class IdentityEntity {
  /** Made by the database; by it an operator names the row. */
  @Column({ type: 'uuid', insert: false, update: false }) id: string;
  @PrimaryColumn('text') issuer: string;
  @PrimaryColumn('text') subject: string;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}
