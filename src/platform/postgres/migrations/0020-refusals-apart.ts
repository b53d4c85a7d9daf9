import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Refusals may be kept for a shorter time than what happened, so a seal holds their hash apart. Seals of before hold one hash of all
 * events, and their refusals stay as long as the rest.
 */
export class RefusalsApart0020 implements MigrationInterface {
  name = 'RefusalsApart1700000000020';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table audit_seals add column refusals integer, add column refusals_hash bytea, add column refusals_dropped_at timestamptz;
      create index audit_seals_with_refusals on audit_seals (hour) where refusals > 0 and refusals_dropped_at is null`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop index audit_seals_with_refusals;
      alter table audit_seals drop column refusals, drop column refusals_hash, drop column refusals_dropped_at`);
  }
}
