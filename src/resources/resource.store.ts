import { Injectable } from '@nestjs/common';
import { normalResource } from '#libs/oauth';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { violatedForeign, violatedUnique } from '../platform/postgres/database-away.js';
import { readPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import type { Resource } from './resource.js';
import { ResourceEntity } from './resource.entity.js';

/** What is unique, by the name of its constraint. */
const TAKEN: Readonly<Record<string, 'slug' | 'uri'>> = {
  resources_slug_key: 'slug',
  resources_uri_normal_key: 'uri',
};

@Injectable()
export class ResourceStore {
  constructor(private readonly database: Database) {}

  epoch(): Promise<number> {
    return readPolicyEpoch(this.database);
  }

  async all(): Promise<Resource[]> {
    return (await this.database.manager.find(ResourceEntity, { order: { id: 'ASC' } })).map(toResource);
  }

  async lock(tx: Transaction, id: string): Promise<Resource | undefined> {
    const row = await tx.findOne(ResourceEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
    return row ? toResource(row) : undefined;
  }

  /** @returns undefined when the row is stored, or which unique value another one has, or what is not there; the transaction is lost then */
  async save(tx: Transaction, resource: Resource): Promise<'slug' | 'uri' | 'broker_provider_id' | undefined> {
    try {
      await tx.save(ResourceEntity, toRow(resource));
      return undefined;
    } catch (error) {
      const taken = TAKEN[violatedUnique(error) ?? ''];
      if (taken) return taken;
      if (violatedForeign(error) === 'resources_broker_provider_id_fkey') return 'broker_provider_id';
      throw error;
    }
  }

  /** Ends what people allowed at this resource: they allowed it for an audience that is another by now. */
  async endConsents(tx: Transaction, id: string, now: Date): Promise<void> {
    await tx.query(
      `with ended as (update consents set revoked_at = $2 where resource_id = $1 and revoked_at is null returning id)
       insert into revocations (kind, id, reason, at, expires_at)
       select 'consent', id::text, 'audience_changed', $2, $2::timestamptz + interval '400 days' from ended on conflict do nothing`,
      [id, now],
    );
  }

  async remove(tx: Transaction, id: string): Promise<boolean> {
    return (await tx.delete(ResourceEntity, { id })).affected === 1;
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

const toRow = (resource: Resource): ResourceEntity => ({
  ...resource,
  uri: resource.uri ?? null,
  uriNormal: resource.uri === undefined ? null : (normalResource(resource.uri) ?? null),
  brokerProviderId: resource.brokerProviderId ?? null,
  accessTokenTtlSeconds: resource.accessTokenTtlSeconds ?? null,
});

const toResource = ({ uriNormal: _, ...row }: ResourceEntity): Resource => ({
  ...row,
  uri: row.uri ?? undefined,
  brokerProviderId: row.brokerProviderId ?? undefined,
  accessTokenTtlSeconds: row.accessTokenTtlSeconds ?? undefined,
});
