import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { Protocol } from './provider.js';

@Entity('broker_providers')
export class ProviderEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') slug: string;
  @Column('text', { name: 'display_name' }) displayName: string;
  @Column('text') protocol: Protocol;
  @Column('text', { name: 'config_data' }) configData: string;
  @Column('text', { name: 'sealed_secret', nullable: true }) sealedSecret: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
}
