import { Injectable } from '@nestjs/common';
import { Database } from '../platform/postgres/database.js';
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
}

const toProvider = (row: ProviderEntity): Provider => ({ ...row, sealedSecret: row.sealedSecret ?? undefined });
