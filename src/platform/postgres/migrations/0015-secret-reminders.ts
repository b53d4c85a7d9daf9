import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How many days before its end the operator was last reminded of a secret. */
export class SecretReminders0015 implements MigrationInterface {
  name = 'SecretReminders1700000000015';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table client_secrets add column reminded_days integer');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table client_secrets drop column reminded_days');
  }
}
