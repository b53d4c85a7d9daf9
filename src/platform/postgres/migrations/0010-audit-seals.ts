import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What the audit events of each hour that is over hash to, chained to the hour before (S9). Seals outlive the events. */
export class AuditSeals0010 implements MigrationInterface {
  name = 'AuditSeals1700000000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table audit_seals (
        hour timestamptz primary key,
        events integer not null,
        hash bytea not null,
        made_at timestamptz not null
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table audit_seals');
  }
}
