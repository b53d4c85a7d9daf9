import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What upstream still has to be told is looked for every hour, among all connections that ever were. */
export class OverdueRevocations0013 implements MigrationInterface {
  name = 'OverdueRevocations1700000000013';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `create index if not exists connections_unrevoked on connections (ended_at) where upstream_revocation = 'pending'`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop index connections_unrevoked');
  }
}
