import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('identities')
export class IdentityEntity {
  /** Made by the database; by it an operator names the row. */
  @Column({ type: 'uuid', insert: false, update: false }) id: string;
  @PrimaryColumn('text') issuer: string;
  @PrimaryColumn('text') subject: string;
  @Column('uuid', { name: 'user_id' }) userId: string;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  /** The slug of the identity provider at which they last signed in as this one. */
  @Column({ type: 'text', nullable: true }) provider?: string | null;
  /** As the provider last said; null: it never did. */
  @Column({ type: 'text', array: true, nullable: true }) groups?: string[] | null;
  /** When the provider last said that all is well, at a sign-in or since. */
  @Column({ type: 'timestamptz', name: 'checked_at', nullable: true }) checkedAt?: Date | null;
  /** When it said that it is not; a sign-in there clears it. */
  @Column({ type: 'timestamptz', name: 'refused_at', nullable: true }) refusedAt?: Date | null;
  @Column({ type: 'text', name: 'sealed_refresh_token', nullable: true, select: false }) sealedRefreshToken?:
    string | null;
  /** Since when somebody asks the provider about this person; long ago: they died at it, and nobody knows what came of it. */
  @Column({ type: 'timestamptz', name: 'check_began_at', nullable: true }) checkBeganAt?: Date | null;
  /** Until then the provider, which was away, is left alone. */
  @Column({ type: 'timestamptz', name: 'check_again_at', nullable: true }) checkAgainAt?: Date | null;
}
