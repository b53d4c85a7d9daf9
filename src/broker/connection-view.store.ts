import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
import type { ConnectionQuery, ConnectionView, StoredConnection } from './connection-view.js';

/** Reads connections to tell of them. No sealed column is ever named here. */
@Injectable()
export class ConnectionViewStore {
  constructor(private readonly database: Database) {}

  /** Newest first, those that are over included. */
  async list({ userId, provider, status, limit, offset = 0, cursor }: ConnectionQuery): Promise<ConnectionView[]> {
    const values = [userId ?? null, provider ?? null, status ?? null, cursor ?? null, limit, offset];
    return (await this.database.query<Nullable<ConnectionView>>(LIST, values)).map((row) =>
      withoutNulls<ConnectionView>(row),
    );
  }

  /** Those that are not over. */
  async ofUser(userId: string): Promise<StoredConnection[]> {
    const rows = await this.database.query<Nullable<StoredConnection>>(OF_USER, [userId], 'connections.of-user');
    return rows.map((row) => ({
      ...withoutNulls<StoredConnection>(row),
      consents: row.consents.map((consent) => ({
        ...withoutNulls<StoredConnection['consents'][number]>(consent),
        createdAt: new Date(consent.createdAt),
      })),
    }));
  }

  async count(): Promise<number> {
    const sql = `select count(*)::int as count from connections where status <> 'disconnected'`;
    return (await this.database.query<{ count: number }>(sql))[0]?.count ?? 0;
  }
}

const TOLD = `
  c.id, c.user_id as "userId", c.provider_id as "providerId", p.slug as "providerSlug",
  coalesce(nullif(p.display_name, ''), p.slug) as "providerLabel", c.account, c.scopes, c.status, c.status_reason as "statusReason",
  c.version::int as version, c.created_at as "createdAt", c.updated_at as "updatedAt", c.ended_at as "endedAt",
  c.access_token_expires_at as "accessTokenExpiresAt", c.last_refreshed_at as "lastRefreshedAt", c.last_used_at as "lastUsedAt",
  c.last_used_client_id as "lastUsedClientId",
  c.last_used_origin_client_id as "lastUsedOriginClientId", coalesce(g.name, c.last_used_origin_client_id) as "lastUsedAgent",
  case when g.agent_confirmed then g.id end as "lastUsedAgentId", coalesce(a.name, c.last_used_client_id) as "lastUsedServer",
  c.failing_since as "failingSince", c.last_failure as "lastFailure",
  c.retry_at as "retryAt", c.upstream_revocation as "upstreamRevocation"`;

const FROM = `connections c join broker_providers p on p.id = c.provider_id
    left join clients a on a.id = c.last_used_client_id left join clients g on g.id = c.last_used_origin_client_id`;

const LIST = `
  select ${TOLD} from ${FROM}
   where ($1::uuid is null or c.user_id = $1) and ($2::text is null or p.slug = $2 or p.id::text = $2)
     and ($3::text is null or c.status = $3) and ($4::uuid is null or c.id < $4)
   order by c.id desc limit $5 offset $6`;

const OF_USER = `
  select ${TOLD},
    (select r.uri from resources r where r.broker_provider_id = p.id and r.uri is not null order by r.id limit 1) as "resourceUri",
    coalesce((select json_agg(json_build_object('id', k.id, 'resourceName', coalesce(nullif(r.display_name, ''), r.slug, ''),
        'resourceUri', r.uri, 'allowedScopes', k.scopes, 'createdAt', k.created_at) order by k.id)
      from connection_consents k left join resources r on r.id = k.source_resource_id
      where k.user_id = c.user_id and k.provider_id = c.provider_id and k.superseded_at is null and k.revoked_at is null
    ), '[]') as consents
   from ${FROM}
   where c.user_id = $1 and c.status <> 'disconnected' order by c.id`;

type Nullable<T> = { readonly [Key in keyof T]: T[Key] | (undefined extends T[Key] ? null : never) };

const withoutNulls = <T extends object>(row: object): T =>
  Object.fromEntries(Object.entries(row).filter(([, value]) => value !== null)) as T;
