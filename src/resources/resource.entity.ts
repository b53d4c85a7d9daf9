import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ResourcePolicy, ResourceScope } from './resource.js';

@Entity('resources')
export class ResourceEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') slug: string;
  @Column('text', { nullable: true }) uri: string | null;
  @Column('text', { name: 'uri_normal', nullable: true }) uriNormal: string | null;
  @Column('text', { name: 'backend_kind' }) backendKind: 'mint' | 'broker';
  @Column('uuid', { name: 'broker_provider_id', nullable: true }) brokerProviderId: string | null;
  @Column('text', { name: 'display_name' }) displayName: string;
  @Column('jsonb') scopes: readonly ResourceScope[];
  @Column('jsonb') policy: ResourcePolicy;
  @Column('boolean', { name: 'dpop_required' }) dpopRequired: boolean;
  @Column('integer', { name: 'access_token_ttl_seconds', nullable: true }) accessTokenTtlSeconds: number | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
}
