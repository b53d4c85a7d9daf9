import { Column, Entity, PrimaryColumn } from 'typeorm';

/** bigint arrives as text from some drivers; versions stay far below 2^53. */
const asNumber = { from: (stored: string | number) => Number(stored), to: (version: number) => version };

@Entity('users')
export class UserEntity {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { nullable: true }) email: string | null;
  @Column('text') name: string;
  @Column('text') role: 'admin' | 'user';
  @Column('text') status: 'active' | 'disabled';
  @Column('text') provider: string;
  @Column('text', { name: 'password_hash', nullable: true }) passwordHash: string | null;
  @Column('bigint', { transformer: asNumber }) version: number;
  @Column('timestamptz', { name: 'created_at' }) createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' }) updatedAt: Date;
}
