import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('sessions')
export class SessionEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('bytea', { name: 'secret_hash' }) secretHash: Buffer;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('text', { name: 'user_agent' }) userAgent: string;
  @Column('text', { name: 'identity_provider', nullable: true }) identityProvider: string | null;
  @Column('text', { name: 'upstream_session_id', nullable: true }) upstreamSessionId: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
}
