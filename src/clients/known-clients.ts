import { Injectable } from '@nestjs/common';
import { LRUCache } from 'lru-cache';
import type { StoredSecret } from './client-secret.js';
import { ClientSecretStore } from './client-secret.store.js';
import type { Client } from './client.js';
import { ClientStore } from './client.store.js';

/** The row of a client, and the secrets that go with its version. */
export interface KnownClient {
  /** Undefined: there is none. */
  readonly row: Client | undefined;
  readonly secrets: readonly StoredSecret[];
}

const MAX_REMEMBERED_CHARACTERS = 8 * 1024 * 1024;

/**
 * Clients as the database has them now, or as it had them when they were last read. What is decided on the latter counts once a
 * statement has verified the version (S6): every change of a client, its secrets included, is a new one.
 */
@Injectable()
export class KnownClients {
  readonly #remembered = new LRUCache<string, KnownClient>({
    maxSize: MAX_REMEMBERED_CHARACTERS,
    sizeCalculation: (known) => JSON.stringify(known).length,
  });

  constructor(
    private readonly store: ClientStore,
    private readonly secrets: ClientSecretStore,
  ) {}

  /** @throws DatabaseAway */
  async read(id: string): Promise<KnownClient> {
    // The row first: with secrets that are newer than its version nothing can be stored, with older ones a former secret would work.
    const row = await this.store.find(id);
    // Read for an unknown client too: a stranger must not learn from the time it takes which ids exist.
    const secrets = await this.secrets.ofClient(id);
    const known = { row, secrets: secrets.map((it) => ({ ...it, secretHash: alone(it.secretHash) })) };
    if (row) this.#remembered.set(id, known);
    else this.#remembered.delete(id);
    return known;
  }

  recall(id: string): KnownClient | undefined {
    return this.#remembered.get(id);
  }
}

/** A slice of what the driver has read would keep all of that, 8 KB, for as long as it is remembered. */
function alone(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
