import { Injectable } from '@nestjs/common';
import { ProviderStore } from './provider.store.js';
import type { Provider } from './provider.js';

/** Looks providers up. */
@Injectable()
export class Providers {
  constructor(private readonly store: ProviderStore) {}

  find(id: string): Promise<Provider | undefined> {
    return this.store.find(id);
  }

  list(): Promise<Provider[]> {
    return this.store.all();
  }

  bySlug(slug: string): Promise<Provider | undefined> {
    return this.store.bySlug(slug);
  }
}
