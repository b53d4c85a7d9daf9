import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import type { Client, ClientStatus, RegistrationSource } from './client.js';
import { documentHash } from './client-metadata.js';
import { ClientEntity } from './client.entity.js';

export interface ClientQuery {
  readonly source?: RegistrationSource;
  readonly status?: ClientStatus;
  readonly limit: number;
  /** The id of the last client of the page before. */
  readonly cursor?: string;
  readonly offset?: number;
}

@Injectable()
export class ClientStore {
  constructor(private readonly database: Database) {}

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }

  /** By primary key, prepared: every request of a client begins with it. */
  async find(id: string): Promise<Client | undefined> {
    const [row] = await this.database.query<ClientEntity>(FIND, [id], 'clients.find');
    return row && toClient(row);
  }

  /** By id, which is by time of registration for ids made here. */
  async list({ source, status, limit, cursor, offset }: ClientQuery): Promise<Client[]> {
    const clients = this.database.manager
      .createQueryBuilder(ClientEntity, 'c')
      .orderBy('c.id collate "C"', 'ASC')
      .limit(limit)
      .offset(offset ?? 0);
    if (cursor !== undefined) clients.andWhere('c.id collate "C" > :cursor', { cursor });
    if (source) clients.andWhere('c.registrationSource = :source', { source });
    if (status) clients.andWhere('c.status = :status', { status });
    return (await clients.getMany()).map(toClient);
  }

  /** @returns whether the id was free */
  async insert(tx: Transaction, client: Client): Promise<boolean> {
    const { raw } = await tx
      .createQueryBuilder()
      .insert()
      .into(ClientEntity)
      .values(toRow(client))
      .orIgnore()
      .returning('id')
      .execute();
    return (raw as unknown[]).length === 1;
  }

  /** The hash of the token that a client manages its registration with (RFC 7592); undefined: it has none, or is not there. */
  async registrationTokenHash(id: string): Promise<Buffer | undefined> {
    const [row] = await this.database.query<{ hash: Buffer | null }>(
      'select registration_token_hash as hash from clients where id = $1',
      [id],
    );
    return row?.hash ?? undefined;
  }

  async setRegistrationToken(tx: Transaction, id: string, hash: Buffer): Promise<void> {
    await tx.query('update clients set registration_token_hash = $2 where id = $1', [id, hash]);
  }

  /** Locks the row until the transaction ends, so that what is decided on it still holds when it is written. */
  async lock(tx: Transaction, id: string): Promise<Client | undefined> {
    const row = await tx.findOne(ClientEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
    return row ? toClient(row) : undefined;
  }

  /** Writes a locked client under its next version. */
  async update(tx: Transaction, client: Client): Promise<Client> {
    const next: Client = { ...client, version: client.version + 1 };
    await tx.update(ClientEntity, { id: client.id }, toRow(next));
    return next;
  }

  /**
   * Removes a locked client for good: every consent given to it ends as well, and with them its tokens; under the lock, none is
   * being given. The id of a metadata document can come back, and must not bring the old tokens back to life.
   */
  async remove(tx: Transaction, id: string, now: Date): Promise<void> {
    await tx.query(
      `with ended as (
         update consents set revoked_at = $2 where client_id = $1 and revoked_at is null returning id)
       insert into revocations (kind, id, reason, at, expires_at)
       select 'consent', id::text, 'client_deleted', $2, $2::timestamptz + interval '400 days' from ended on conflict do nothing`,
      [id, now],
    );
    await tx.delete(ClientEntity, { id });
  }

  /**
   * Stores what a metadata document says: a new row, or the next version of the row when the document changed since (P7).
   * Status, ceiling and lifetimes of an existing row are the operator's and stay.
   */
  async upsertDocument(
    tx: Transaction,
    client: Client,
    now: Date,
  ): Promise<{ version: number; outcome: 'inserted' | 'updated' | 'same' }> {
    const [written] = (await tx.query(UPSERT_DOCUMENT, [
      client.id,
      client.name,
      client.redirectUris,
      client.grantTypes,
      client.responseTypes,
      client.tokenEndpointAuthMethod,
      client.scope.join(' '),
      client.applicationType,
      client.agent,
      client.agentDescription,
      documentHash(client),
      client.securityChangedAt,
      now,
      client.dpopBoundAccessTokens,
      client.keys ? JSON.stringify({ keys: client.keys }) : null,
      client.jwksUri ?? null,
      client.assertionAlg ?? null,
    ])) as { version: string; inserted: boolean }[];
    if (written) return { version: Number(written.version), outcome: written.inserted ? 'inserted' : 'updated' };
    const [same] = (await tx.query('select version from clients where id = $1', [client.id])) as { version: string }[];
    return { version: Number(same?.version ?? 0), outcome: 'same' };
  }
}

const FIND = `
  select id, name, redirect_uris as "redirectUris", grant_types as "grantTypes", response_types as "responseTypes",
    token_endpoint_auth_method as "tokenEndpointAuthMethod", jwks, jwks_uri as "jwksUri",
    token_endpoint_auth_signing_alg as "assertionAlg", scope, status, registration_source as "registrationSource",
    application_type as "applicationType", agent, agent_description as "agentDescription", agent_confirmed as "agentConfirmed",
    dpop_bound_access_tokens as "dpopBoundAccessTokens",
    default_resource as "defaultResource", access_token_ttl_seconds as "accessTokenTtlSeconds",
    refresh_token_ttl_seconds as "refreshTokenTtlSeconds", refresh_max_lifetime_seconds as "refreshMaxLifetimeSeconds",
    metadata_hash as "metadataHash", security_changed_at as "securityChangedAt", version, created_at as "createdAt",
    updated_at as "updatedAt"
  from clients where id = $1`;

const UPSERT_DOCUMENT = `
  insert into clients (id, name, redirect_uris, grant_types, response_types, token_endpoint_auth_method, scope, registration_source,
    application_type, agent, agent_description, metadata_hash, security_changed_at, created_at, updated_at,
    dpop_bound_access_tokens, jwks, jwks_uri, token_endpoint_auth_signing_alg)
  values ($1, $2, $3, $4, $5, $6, $7, 'cimd', $8, $9, $10, $11, $12, $13, $13, $14, $15, $16, $17)
  on conflict (id) do update set name = excluded.name, redirect_uris = excluded.redirect_uris, grant_types = excluded.grant_types,
    response_types = excluded.response_types, token_endpoint_auth_method = excluded.token_endpoint_auth_method,
    jwks = excluded.jwks, jwks_uri = excluded.jwks_uri, token_endpoint_auth_signing_alg = excluded.token_endpoint_auth_signing_alg,
    application_type = excluded.application_type, agent = excluded.agent, agent_description = excluded.agent_description,
    agent_confirmed = clients.agent_confirmed and clients.agent = excluded.agent,
    dpop_bound_access_tokens = excluded.dpop_bound_access_tokens, metadata_hash = excluded.metadata_hash, updated_at = excluded.updated_at, version = clients.version + 1,
    security_changed_at = excluded.security_changed_at
  where clients.registration_source = 'cimd' and clients.metadata_hash is distinct from excluded.metadata_hash
  returning version, (xmax = 0) as inserted`;

const toRow = ({ stored: _, keys, ...client }: Client): ClientEntity => ({
  ...client,
  jwks: keys ? { keys: [...keys] } : null,
  jwksUri: client.jwksUri ?? null,
  assertionAlg: client.assertionAlg ?? null,
  scope: client.scope.join(' '),
  metadataHash: client.registrationSource === 'cimd' ? documentHash(client) : null,
  defaultResource: client.defaultResource ?? null,
  accessTokenTtlSeconds: client.accessTokenTtlSeconds ?? null,
  refreshTokenTtlSeconds: client.refreshTokenTtlSeconds ?? null,
  refreshMaxLifetimeSeconds: client.refreshMaxLifetimeSeconds ?? null,
});

const toClient = ({ metadataHash: _, jwks, ...row }: ClientEntity): Client => ({
  ...row,
  keys: jwks?.keys,
  jwksUri: row.jwksUri ?? undefined,
  assertionAlg: row.assertionAlg ?? undefined,
  version: Number(row.version),
  scope: row.scope === '' ? [] : row.scope.split(' '),
  defaultResource: row.defaultResource ?? undefined,
  accessTokenTtlSeconds: row.accessTokenTtlSeconds ?? undefined,
  refreshTokenTtlSeconds: row.refreshTokenTtlSeconds ?? undefined,
  refreshMaxLifetimeSeconds: row.refreshMaxLifetimeSeconds ?? undefined,
  stored: true,
});
