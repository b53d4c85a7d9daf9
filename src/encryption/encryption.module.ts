import { Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Breakers } from '../platform/breaker/breakers.js';
import { Clock } from '../platform/clock/clock.js';
import { Drivers, driversOf } from './drivers.js';
import { Encryption } from './encryption.js';

/**
 * Encryption — what must not lie readable in the database or its backups.
 * Owns: the drivers of encryption at rest, the keys derived from the master key, the token that Vault is shown; re-encryption
 * (reencryption.module.ts).
 * Not here: hashes of bearer values (nobody opens those), keys derived from session.secret, the AES envelope (libs/vault), what is sealed.
 * Holds always: a value opens only in the context it was sealed for; one key seals, former ones and the other driver open; a Vault that
 * is away is 503 and says nothing about a value; without a driver sealing fails, it never falls back to plain text.
 */
@Global()
@Module({
  providers: [
    { provide: Drivers, useFactory: driversOf, inject: [Config, Clock, Breakers] },
    { provide: Encryption, useFactory: ({ encryption }: Drivers) => encryption, inject: [Drivers] },
  ],
  exports: [Encryption, Drivers],
})
export class EncryptionModule {}
