import type { MigrationInterface, QueryRunner } from 'typeorm';

/** For which other authorization servers, and as whom there, a client of ours gets identity assertions (W46). */
export class IdJagAudiences0009 implements MigrationInterface {
  name = 'IdJagAudiences1700000000009';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table id_jag_audiences (
        id uuid primary key,
        audience text not null,
        client_id text not null,
        audience_client_id text not null,
        resources text[] not null,
        scopes text[] not null,
        include_email boolean not null default false,
        enabled boolean not null default true,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        constraint id_jag_audiences_place unique (audience, client_id)
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table id_jag_audiences');
  }
}
