import { Module, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { EncryptionWatch } from './encryption-watch.js';
import { Reencryption, SealedColumns } from './reencryption.js';
import { ReencryptionEntity } from './reencryption.entity.js';
import { ReencryptionJob } from './reencryption.job.js';
import { ReencryptionStore } from './reencryption.store.js';
import type { SealedColumn } from './sealed-column.js';
import { SealedColumnStore } from './sealed-column.store.js';
import { UnknownSealingKeys } from './unknown-sealing-keys.js';

/**
 * Re-encryption — what was sealed under a former key or driver moves to the one in force, while the server runs.
 * Owns: the walk over the declared columns and its progress (`reencryptions`).
 * Not here: which columns there are (declared by the modules whose tables they are in, listed in app.module), the drivers (encryption.module).
 * Holds always: a value is replaced only by what was made of it; one process at a time walks; what was moved stays moved, and an
 * interrupted walk goes on where it was; what does not open is left as it is, counted and named in the log.
 * Jobs: re-encryption.
 */
@Module({})
export class ReencryptionModule {
  static of(columns: readonly SealedColumn[]): DynamicModule {
    return {
      module: ReencryptionModule,
      global: true,
      imports: [TypeOrmModule.forFeature([ReencryptionEntity])],
      providers: [
        { provide: SealedColumns, useValue: { all: columns } },
        SealedColumnStore,
        ReencryptionStore,
        Reencryption,
        ReencryptionJob,
        EncryptionWatch,
        UnknownSealingKeys,
      ],
      exports: [Reencryption],
    };
  }
}
