import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Asking an identity provider again (W47), by one at a time over all processes: since when somebody is at it, or died at it; and until when
 * a provider that is away is left alone. A back channel finds sessions by what the provider calls them.
 */
export class IdentityChecks0011 implements MigrationInterface {
  name = 'IdentityChecks1700000000011';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table identities
        add column check_began_at timestamptz,
        add column check_again_at timestamptz;
      create index sessions_upstream on sessions (upstream_session_id) where upstream_session_id is not null;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop index sessions_upstream;
      alter table identities drop column check_began_at, drop column check_again_at;
    `);
  }
}
