import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who somebody is elsewhere: what an issuer calls `subject` is one of our users (W32). The index is what `on delete cascade` reads. */
export class Identities0004 implements MigrationInterface {
  name = 'Identities1700000000004';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table identities (
        issuer text not null,
        subject text not null,
        user_id uuid not null references users on delete cascade,
        created_at timestamptz not null,
        primary key (issuer, subject)
      );
      create index identities_user on identities (user_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table identities');
  }
}
