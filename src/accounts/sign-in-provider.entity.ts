import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('sign_in_providers')
export class SignInProviderEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text') slug: string;
  /** By the names that they have in YAML; the secret is not among them. */
  @Column('jsonb') settings: object;
  @Column('text', { name: 'sealed_secret', nullable: true }) sealedSecret: string | null;
  @Column('boolean') enabled: boolean;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
}
