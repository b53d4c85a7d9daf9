import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ConnectionStatus } from './connection.js';

@Entity('connections')
export class ConnectionEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('uuid', { name: 'provider_id' }) providerId: string;
  @Column('text') account: string;
  @Column('text', { array: true }) scopes: string[];
  @Column('text') status: ConnectionStatus;
  @Column('text', { name: 'status_reason', nullable: true }) statusReason: string | null;
  @Column('bigint') version: string;
  @Column('text', { name: 'sealed_credential', nullable: true }) sealedCredential: string | null;
  @Column('text', { name: 'sealed_access_token', nullable: true }) sealedAccessToken: string | null;
  @Column('timestamptz', { name: 'access_token_expires_at', nullable: true }) accessTokenExpiresAt: Date | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
  @Column('timestamptz', { name: 'ended_at', nullable: true }) endedAt: Date | null;
  @Column('timestamptz', { name: 'last_refreshed_at', nullable: true }) lastRefreshedAt: Date | null;
  @Column('timestamptz', { name: 'last_used_at', nullable: true }) lastUsedAt: Date | null;
  @Column('text', { name: 'last_used_client_id', nullable: true }) lastUsedClientId: string | null;
  @Column('text', { name: 'last_used_origin_client_id', nullable: true }) lastUsedOriginClientId: string | null;
  @Column('timestamptz', { name: 'failing_since', nullable: true }) failingSince: Date | null;
  @Column('text', { name: 'last_failure', nullable: true }) lastFailure: string | null;
  @Column('timestamptz', { name: 'retry_at', nullable: true }) retryAt: Date | null;
  @Column('text', { name: 'upstream_revocation', nullable: true }) upstreamRevocation:
    'pending' | 'done' | 'given_up' | null;
}
