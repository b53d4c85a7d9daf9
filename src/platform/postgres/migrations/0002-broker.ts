import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Upstream accounts. A connection outlives the person and the disconnecting: its row holds what the provider must still be told to
 * revoke, so there is no foreign key to users.
 */
export class Broker0002 implements MigrationInterface {
  name = 'Broker1700000000002';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      create table broker_providers (
        id uuid primary key,
        slug text not null unique,
        display_name text not null default '',
        protocol text not null check (protocol in ('oauth', 'api_key', 'service_account')),
        config_data text not null,
        sealed_secret text,
        created_at timestamptz not null,
        updated_at timestamptz not null
      );
      alter table resources add foreign key (broker_provider_id) references broker_providers;

      create table connections (
        id uuid primary key,
        user_id uuid not null,
        provider_id uuid not null references broker_providers,
        account text not null default '',
        scopes text[] not null,
        status text not null default 'active' check (status in ('active', 'reconnect_required', 'disconnected')),
        status_reason text,
        version bigint not null default 1,
        sealed_credential text,
        sealed_access_token text,
        access_token_expires_at timestamptz,
        created_at timestamptz not null,
        updated_at timestamptz not null,
        ended_at timestamptz,
        last_refreshed_at timestamptz,
        last_used_at timestamptz,
        last_used_client_id text,
        failing_since timestamptz,
        last_failure text,
        retry_at timestamptz,
        upstream_revocation text check (upstream_revocation in ('pending', 'done', 'given_up'))
      ) with (fillfactor = 70);
      create unique index connections_current on connections (user_id, provider_id) where status <> 'disconnected';
      create index connections_provider on connections (provider_id);

      create table refresh_attempts (
        connection_id uuid primary key references connections on delete cascade,
        version bigint not null,
        started_at timestamptz not null
      );

      create table connection_consents (
        id uuid primary key,
        user_id uuid not null,
        provider_id uuid not null references broker_providers,
        source_resource_id uuid not null,
        scopes text[] not null,
        created_at timestamptz not null,
        superseded_at timestamptz,
        revoked_at timestamptz
      );
      create unique index connection_consents_current on connection_consents (user_id, provider_id, source_resource_id)
        where superseded_at is null and revoked_at is null;

      create table connect_flows (
        id uuid primary key,
        secret_hash bytea not null,
        user_id uuid not null,
        session_id uuid not null,
        provider_id uuid not null references broker_providers on delete cascade,
        target_resource_id uuid not null,
        source_resource_id uuid,
        client_id text,
        scopes text[] not null,
        ticked text[] not null,
        unticked text[] not null,
        sealed_verifier text not null,
        return_url text,
        created_at timestamptz not null,
        expires_at timestamptz not null,
        spent_at timestamptz
      );
      create index connect_flows_expiry on connect_flows (expires_at);

      create table outbox (
        id uuid primary key,
        topic text not null,
        key text not null,
        payload jsonb not null,
        created_at timestamptz not null
      );

      alter table issuances alter column kid drop not null;
      alter table issuances add column connection_id uuid;
    `);
  }

  async down(): Promise<void> {
    throw new Error('Connected accounts would be lost: restore a backup instead.');
  }
}
