import { Global, Module } from '@nestjs/common';
import { Config } from '../config/config.js';
import { AesMaster } from './aes-master.js';
import { Encryption } from './encryption.js';
import { NoEncryption } from './no-encryption.js';

/**
 * Encryption — what must not lie readable in the database or its backups.
 * Owns: the driver of encryption at rest and the keys it derives from the master key.
 * Not here: hashes of bearer values (nobody opens those), keys derived from session.secret, the envelope (libs/vault).
 * Holds always: a value opens only in the context it was sealed for; the former master key opens and never seals;
 * without a driver sealing fails, it never falls back to plain text.
 */
@Global()
@Module({
  providers: [{ provide: Encryption, useFactory: encryptionOf, inject: [Config] }],
  exports: [Encryption],
})
export class EncryptionModule {}

function encryptionOf({ dataEncryption }: Config): Encryption {
  const { driver, masterKey, oldMasterKey } = dataEncryption;
  return driver === 'aes_master' && masterKey ? new AesMaster(masterKey, oldMasterKey) : new NoEncryption();
}
