import type { MigrationInterface, QueryRunner } from 'typeorm';

/** At which identity provider a session began, so that signing out can end it there too; null: with a password here. */
export class Federation0006 implements MigrationInterface {
  name = 'Federation1700000000006';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table sessions add column identity_provider text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table sessions drop column identity_provider');
  }
}
