import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How somebody stands at the identity provider at which they last signed in: which groups they are in, when that was last heard, and the
 * sealed refresh token by which it is heard again (W47). A session knows what the provider calls it, for its back channel.
 */
export class IdentityStanding0007 implements MigrationInterface {
  name = 'IdentityStanding1700000000007';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table identities
        add column provider text,
        add column groups text[],
        add column checked_at timestamptz,
        add column refused_at timestamptz,
        add column sealed_refresh_token text;
      alter table sessions add column upstream_session_id text;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table sessions drop column upstream_session_id;
      alter table identities
        drop column provider,
        drop column groups,
        drop column checked_at,
        drop column refused_at,
        drop column sealed_refresh_token;
    `);
  }
}
