import { Injectable } from '@nestjs/common';
import { Database, type Transaction } from '../platform/postgres/database.js';
import { violatedUnique } from '../platform/postgres/database-away.js';
import { bumpPolicyEpoch } from '../platform/postgres/policy-epoch.js';
import { ProviderEntity } from './provider.entity.js';
import type { Provider } from './provider.js';

@Injectable()
export class ProviderStore {
  constructor(private readonly database: Database) {}

  async find(id: string): Promise<Provider | undefined> {
    const row = await this.database.manager.findOneBy(ProviderEntity, { id });
    return row ? toProvider(row) : undefined;
  }

  async bySlug(slug: string): Promise<Provider | undefined> {
    const row = await this.database.manager.findOneBy(ProviderEntity, { slug });
    return row ? toProvider(row) : undefined;
  }

  /** By id, which is by time. */
  async all(tx: Transaction = this.database.manager): Promise<Provider[]> {
    return (await tx.find(ProviderEntity, { order: { id: 'ASC' } })).map(toProvider);
  }

  async lock(tx: Transaction, id: string): Promise<Provider | undefined> {
    const row = await tx.findOne(ProviderEntity, { where: { id }, lock: { mode: 'pessimistic_write' } });
    return row ? toProvider(row) : undefined;
  }

  /** @returns whether the slug was free; else the transaction is lost */
  insert(tx: Transaction, provider: Provider): Promise<boolean> {
    return changed(tx, () => tx.insert(ProviderEntity, toRow(provider)));
  }

  /** As `insert`. */
  update(tx: Transaction, provider: Provider): Promise<boolean> {
    return changed(tx, () => tx.update(ProviderEntity, { id: provider.id }, toRow(provider)));
  }

  /** Slugs of the resources that lead to it. */
  async resourcesOf(tx: Transaction, id: string): Promise<string[]> {
    const rows: { slug: string }[] = await tx.query(
      'select slug from resources where broker_provider_id = $1 order by slug limit 20',
      [id],
    );
    return rows.map(({ slug }) => slug);
  }

  /** Whether there is a connection that is in use, or of which upstream is still to be told that it is over. */
  async isConnected(tx: Transaction, id: string): Promise<boolean> {
    const rows: unknown[] = await tx.query(
      `select 1 from connections
       where provider_id = $1 and (status <> 'disconnected' or upstream_revocation = 'pending') limit 1`,
      [id],
    );
    return rows.length > 0;
  }

  /** With what was connected, allowed and begun there; nobody can be on it any more. */
  async remove(tx: Transaction, id: string): Promise<void> {
    await tx.query('delete from connection_consents where provider_id = $1', [id]);
    await tx.query('delete from connections where provider_id = $1', [id]);
    await tx.delete(ProviderEntity, { id });
    await bumpPolicyEpoch(tx);
  }

  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}

async function changed(tx: Transaction, write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
  } catch (error) {
    if (violatedUnique(error) === 'broker_providers_slug_key') return false;
    throw error;
  }
  await bumpPolicyEpoch(tx);
  return true;
}

const toRow = (provider: Provider): ProviderEntity => ({ ...provider, sealedSecret: provider.sealedSecret ?? null });
const toProvider = (row: ProviderEntity): Provider => ({ ...row, sealedSecret: row.sealedSecret ?? undefined });
