import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('client_secrets')
export class ClientSecretEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'client_id' }) clientId: string;
  @Column('bytea', { name: 'secret_hash' }) secretHash: Buffer;
  /** Names the pepper the hash was made with; null: plain SHA-256. */
  @Column('text', { name: 'pepper_id', nullable: true }) pepperId: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'expires_at', nullable: true }) expiresAt: Date | null;
}
