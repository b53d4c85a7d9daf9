import { Module, type Abstract, type DynamicModule } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Config } from '../config/config.js';
import { Breakers } from '../platform/breaker/breakers.js';
import { Clock } from '../platform/clock/clock.js';
import { JwksController } from './jwks.controller.js';
import { KeyMaterial } from './key-material.js';
import { KeyRevocationJob } from './key-revocation.job.js';
import { KeyRotationJob } from './key-rotation.job.js';
import { KeyStores } from './key-stores.js';
import type { PrivateKeySealer } from './sealed-private-keys.js';
import { SigningKeyEntity } from './signing-key.entity.js';
import { SigningKeyStore } from './signing-key.store.js';
import { SigningKeys } from './signing-keys.js';
import { SigningWatch } from './signing-watch.js';

/**
 * Keys — what access tokens are signed with.
 * Owns: signing keys, their rotation and revocation; GET /.well-known/jwks.json.
 * Not here: what is signed (tokens/), encryption at rest (encryption/), keys derived from session.secret.
 * Holds always: one key signs; it was published before or at the moment it first signed; a retired key stays published until its
 * last token has expired; a revoked key is gone at once and its tokens are dead; a private key leaves its store only to sign, and Vault never.
 * RFC 7517 · RFC 7638.
 */
@Module({})
export class KeysModule {
  /** @param sealer seals private keys for `signing.key_store: postgres_key`; a provider that is visible everywhere */
  static sealedBy(sealer: Abstract<PrivateKeySealer>): DynamicModule {
    return {
      module: KeysModule,
      global: true,
      imports: [TypeOrmModule.forFeature([SigningKeyEntity])],
      controllers: [JwksController],
      providers: [
        { provide: KeyStores, useFactory: keyStoresOf, inject: [Config, sealer, Clock, Breakers] },
        KeyMaterial,
        SigningKeyStore,
        SigningKeys,
        SigningWatch,
        KeyRotationJob,
        KeyRevocationJob,
      ],
      exports: [SigningKeys],
    };
  }
}

const keyStoresOf = (...made: ConstructorParameters<typeof KeyStores>): KeyStores => new KeyStores(...made);
