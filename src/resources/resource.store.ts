import { Injectable } from '@nestjs/common';
import { normalResource } from '#libs/oauth';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { readPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import type { Resource } from './resource.js';
import { ResourceEntity } from './resource.entity.js';

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

  /** @returns which unique value is taken, or undefined when the row is stored */
  async save(tx: Transaction, resource: Resource): Promise<'slug' | 'uri' | undefined> {
    const row = toRow(resource);
    if (await tx.createQueryBuilder(ResourceEntity, 'r').where('r.slug = :slug and r.id <> :id', row).getExists())
      return 'slug';
    if (row.uriNormal !== null) {
      const taken = tx.createQueryBuilder(ResourceEntity, 'r').where('r.uri_normal = :uriNormal and r.id <> :id', row);
      if (await taken.getExists()) return 'uri';
    }
    await tx.save(ResourceEntity, row);
    return undefined;
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
