import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which agent used a connection last: the client at the beginning of the chain, beside the MCP server that asked for the token. */
export class LastUsedAgent0012 implements MigrationInterface {
  name = 'LastUsedAgent1700000000012';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table connections add column last_used_origin_client_id text');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table connections drop column last_used_origin_client_id');
  }
}
