import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Identity providers that operators add while the server runs, and what the groups of a provider give at a resource. A mapping names its
 * provider by slug, without a foreign key: it may be one of the configuration, and it holds on when the provider is gone.
 */
export class SignInProviders0008 implements MigrationInterface {
  name = 'SignInProviders1700000000008';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table sign_in_providers (
        id uuid primary key,
        slug text not null unique,
        settings jsonb not null,
        sealed_secret text,
        enabled boolean not null default true,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );

      create table group_scopes (
        id uuid primary key,
        provider text not null,
        group_name text not null,
        resource_id uuid not null references resources on delete cascade,
        scopes text[] not null,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        unique (provider, group_name, resource_id)
      );
      create index group_scopes_resource on group_scopes (resource_id);
      create index identities_provider on identities (provider) where provider is not null;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      drop index identities_provider;
      drop table group_scopes;
      drop table sign_in_providers;
    `);
  }
}
