import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Whose assertions count, and for what. An identity gets an id, by which an operator takes it away. */
export class Xaa0005 implements MigrationInterface {
  name = 'Xaa1700000000005';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      alter table identities add column id uuid not null default gen_random_uuid();
      create unique index identities_id on identities (id);

      create table trusted_idps (
        id uuid primary key,
        name text not null,
        issuer text not null unique,
        kind text not null check (kind in ('id_jag', 'workload')),
        jwks_uri text,
        audience text,
        enabled boolean not null default true,
        replay text not null check (replay in ('single_use', 'reusable_until_exp')),
        keys_from timestamptz not null,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );

      create table xaa_policies (
        id uuid primary key,
        name text not null,
        idp_id uuid not null references trusted_idps on delete cascade,
        client_ids text[] not null default '{}',
        scopes text[] not null default '{}',
        resources text[] not null default '{}',
        groups text[] not null default '{}',
        conditions jsonb not null default '{}',
        subject_by text[] not null default '{}',
        expires_at timestamptz,
        enabled boolean not null default true,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      create index xaa_policies_idp on xaa_policies (idp_id);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop table xaa_policies;
      drop table trusted_idps;
      alter table identities drop column id;
    `);
  }
}
