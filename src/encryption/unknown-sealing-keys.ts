import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Encryption } from './encryption.js';
import { sealingKeyOf } from './envelope.js';
import { SealedColumns } from './reencryption.js';
import { nameOf, type SealedColumn } from './sealed-column.js';
import { SealedColumnStore } from './sealed-column.store.js';

/** Tells at boot of values that nothing which is configured opens, before somebody's vend is what finds out. It looks at samples. */
@Injectable()
export class UnknownSealingKeys implements OnApplicationBootstrap {
  readonly #log = new Logger('Encryption');

  constructor(
    private readonly encryption: Encryption,
    private readonly columns: SealedColumns,
    private readonly values: SealedColumnStore,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    for (const column of this.columns.all) await this.#look(column);
  }

  async #look(column: SealedColumn): Promise<void> {
    // Whoever cannot look now is told of worse than this.
    const heads = await this.values.headsAtTheEnds(column).catch(() => []);
    for (const head of heads) {
      const key = sealingKeyOf(head);
      if (key && this.encryption.knows(key)) continue;
      const missing = key
        ? `sealed by ${key.id}, which is not configured: ${remedyOf[key.driver]}`
        : 'that are no envelopes';
      this.#log.warn(`${nameOf(column)} holds values ${missing}`);
    }
  }
}

const remedyOf = {
  aes_master:
    'name the variable with that master key in data_encryption.aes_master.old_key_env (AUTHPLANE_DATA_ENCRYPTION_OLD_KEY_ENV)',
  vault_transit_encrypt: 'configure data_encryption.vault_transit_encrypt with that key beside the driver in force',
};
