import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How far sealed values have been moved to the key in force. Locking the row is what makes one process at a time do it. */
export class Reencryption0003 implements MigrationInterface {
  name = 'Reencryption1700000000003';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table reencryptions (
        id uuid primary key,
        target_key text not null,
        progress jsonb not null,
        started_at timestamptz not null,
        updated_at timestamptz not null,
        finished_at timestamptz,
        last_error text
      );
      create unique index reencryptions_unfinished on reencryptions ((true)) where finished_at is null;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table reencryptions');
  }
}
