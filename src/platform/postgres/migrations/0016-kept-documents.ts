import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The last good discovery documents and keys of identity providers, for replicas that start while a provider's host is away. */
export class KeptDocuments0016 implements MigrationInterface {
  name = 'KeptDocuments1700000000016';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'create table kept_documents (url text primary key, body text not null, fetched_at timestamptz not null)',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table kept_documents');
  }
}
