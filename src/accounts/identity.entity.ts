import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('identities')
export class IdentityEntity {
  @PrimaryColumn('text') issuer: string;
  @PrimaryColumn('text') subject: string;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
}
