import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The first schema. Conventions that later migrations keep:
 * - ids are UUID v7, except a client's, which may be the URL of its metadata document;
 * - a table that grows with traffic is partitioned by RANGE of its id (S3), so that its primary key is globally unique and
 *   a look-up by id touches one partition; the DEFAULT partition catches what no daily one covers;
 * - `version` is bumped by every change that an issuing statement must notice (S6), and by nothing else;
 * - only hashes of bearer values are stored.
 */
export class FirstLight0001 implements MigrationInterface {
  name = 'FirstLight1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table policy_epoch (
        only_row boolean primary key default true check (only_row),
        epoch bigint not null
      );
      insert into policy_epoch (epoch) values (1);

      create table settings (
        key text primary key,
        value jsonb not null,
        updated_at timestamptz not null
      );

      create table signing_keys (
        kid text primary key,
        alg text not null,
        public_jwk jsonb not null,
        sealed_private_key text,
        created_at timestamptz not null,
        activates_at timestamptz not null,
        retired_at timestamptz,
        published_until timestamptz,
        revoked_at timestamptz
      );

      create table users (
        id uuid primary key,
        email text,
        name text not null default '',
        role text not null default 'user' check (role in ('admin', 'user')),
        status text not null default 'active' check (status in ('active', 'disabled')),
        provider text not null default 'local',
        password_hash text,
        version bigint not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      create unique index users_email on users (lower(email));

      create table sessions (
        id uuid primary key,
        secret_hash bytea not null,
        user_id uuid not null references users on delete cascade,
        user_agent text not null default '',
        created_at timestamptz not null,
        expires_at timestamptz not null
      );
      create index sessions_user on sessions (user_id);

      create table clients (
        id text primary key,
        name text not null,
        redirect_uris text[] not null default '{}',
        grant_types text[] not null,
        response_types text[] not null default '{code}',
        token_endpoint_auth_method text not null,
        jwks jsonb,
        jwks_uri text,
        token_endpoint_auth_signing_alg text,
        scope text not null default '',
        status text not null default 'active' check (status in ('active', 'suspended', 'revoked')),
        registration_source text not null check (registration_source in ('admin', 'dcr', 'cimd')),
        application_type text not null default 'web' check (application_type in ('web', 'native')),
        agent boolean not null default false,
        agent_description text not null default '',
        agent_confirmed boolean not null default false,
        dpop_bound_access_tokens boolean not null default false,
        default_resource text,
        access_token_ttl_seconds integer,
        refresh_token_ttl_seconds integer,
        refresh_max_lifetime_seconds integer,
        metadata_hash bytea,
        registration_token_hash bytea,
        security_changed_at timestamptz not null,
        version bigint not null default 1,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );

      create table client_secrets (
        id uuid primary key,
        client_id text not null references clients on delete cascade,
        secret_hash bytea not null,
        pepper_id text,
        created_at timestamptz not null,
        expires_at timestamptz
      );
      create index client_secrets_client on client_secrets (client_id);

      create table resources (
        id uuid primary key,
        slug text not null unique,
        uri text,
        uri_normal text unique,
        backend_kind text not null check (backend_kind in ('mint', 'broker')),
        broker_provider_id uuid,
        display_name text not null default '',
        scopes jsonb not null default '[]',
        policy jsonb not null default '{}',
        dpop_required boolean not null default false,
        access_token_ttl_seconds integer,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );

      create table fronting_links (
        source_id uuid not null references resources,
        target_id uuid not null references resources,
        scope_map jsonb not null,
        created_at timestamptz not null,
        created_by text not null default '',
        primary key (source_id, target_id)
      );
      create index fronting_links_target on fronting_links (target_id);

      create table consents (
        id uuid primary key,
        user_id uuid not null,
        client_id text not null,
        resource_id uuid not null,
        scopes text[] not null,
        redirect_uris text[] not null,
        created_at timestamptz not null,
        superseded_at timestamptz,
        revoked_at timestamptz
      );
      create unique index consents_current on consents (user_id, client_id, resource_id)
        where superseded_at is null and revoked_at is null;
      create index consents_client on consents (client_id);

      create table revocations (
        kind text not null check (kind in ('jti', 'family', 'consent', 'key')),
        id text not null,
        reason text not null,
        at timestamptz not null,
        expires_at timestamptz not null,
        primary key (kind, id)
      );
      create index revocations_expiry on revocations (expires_at);

      create table families (
        id uuid primary key,
        client_id text not null,
        user_id uuid not null,
        resource_id uuid not null,
        consent_id uuid not null,
        scopes text[] not null,
        generation integer not null,
        live_hash bytea not null,
        previous_hash bytea,
        spent_at timestamptz,
        sealed_answer bytea,
        jkt text,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        ends_at timestamptz not null
      ) with (fillfactor = 70);
      create index families_user on families (user_id);
      create index families_client on families (client_id);

      create table replays (
        key bytea primary key,
        expires_at timestamptz not null
      );
      create index replays_expiry on replays (expires_at);

      create table used_assertions (
        key bytea primary key,
        expires_at timestamptz not null
      );
      create index used_assertions_expiry on used_assertions (expires_at);

      create table authorization_codes (
        id uuid primary key,
        secret_hash bytea not null,
        client_id text not null,
        user_id uuid not null,
        resource_id uuid not null,
        consent_id uuid not null,
        family_id uuid not null,
        redirect_uri text not null,
        scopes text[] not null,
        code_challenge text not null,
        dpop_jkt text,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        spent_at timestamptz
      ) partition by range (id);
      create table authorization_codes_default partition of authorization_codes default;

      create table issuances (
        jti uuid primary key,
        grant_type text not null,
        client_id text not null,
        subject text not null,
        user_id uuid,
        resource_id uuid,
        audience text not null,
        scopes text[] not null,
        kid text not null,
        family_id uuid,
        consent_id uuid,
        consent_client_id text,
        parent_jti uuid,
        ancestors uuid[] not null default '{}',
        agent_id text,
        agent_chain text[] not null default '{}',
        dpop_jkt text,
        issued_at timestamptz not null,
        expires_at timestamptz not null
      ) partition by range (jti);
      create table issuances_default partition of issuances default;
      create index issuances_user on issuances (user_id);
      create index issuances_client on issuances (client_id);
      create index issuances_resource on issuances (resource_id);

      create table audit_events (
        id uuid primary key,
        action text not null,
        reason text,
        actor_id text,
        client_id text,
        ip text,
        request_id text,
        detail jsonb not null default '{}',
        created_at timestamptz not null
      ) partition by range (id);
      create table audit_events_default partition of audit_events default;
      create index audit_events_action on audit_events (action);
      create index audit_events_actor on audit_events (actor_id) where actor_id is not null;
      create index audit_events_client on audit_events (client_id) where client_id is not null;
    `);
  }

  async down(): Promise<void> {
    throw new Error('The first migration has nothing to go back to: drop the database instead.');
  }
}
