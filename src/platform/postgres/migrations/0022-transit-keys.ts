import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Where in Vault the private half of a signing key lies, which nobody else has: a reference, no secret. */
export class TransitKeys0022 implements MigrationInterface {
  name = 'TransitKeys1700000000022';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table signing_keys add column transit_key text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table signing_keys drop column transit_key');
  }
}
