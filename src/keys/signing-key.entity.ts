import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { JWK } from '#libs/jwt';

@Entity('signing_keys')
export class SigningKeyEntity {
  @PrimaryColumn('text') kid: string;
  @Column('text') alg: string;
  @Column('jsonb', { name: 'public_jwk' }) publicJwk: JWK;
  @Column('text', { name: 'sealed_private_key', nullable: true }) sealedPrivateKey: string | null;
  @Column('text', { name: 'transit_key', nullable: true }) transitKey: string | null;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'activates_at' }) activatesAt: Date;
  @Column('timestamptz', { name: 'retired_at', nullable: true }) retiredAt: Date | null;
  @Column('timestamptz', { name: 'published_until', nullable: true }) publishedUntil: Date | null;
  @Column('timestamptz', { name: 'revoked_at', nullable: true }) revokedAt: Date | null;
}
