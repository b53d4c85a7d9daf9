/**
 * Encryption at rest. One implementation is in force, chosen by `data_encryption.driver`.
 *
 * `context` says what the value is and whose, as `<purpose>:<owner>`: every purpose has its own key, and a sealed value does
 * not open in another context.
 */
export abstract class Encryption {
  abstract readonly driver: 'none' | 'aes_master';

  /** @throws EncryptionOff when no driver is configured */
  abstract seal(plaintext: Buffer, context: string): Promise<string>;

  /** @throws SealBroken when it was changed, sealed for another context, or under a key that is no longer known */
  abstract open(sealed: string, context: string): Promise<Buffer>;
}

/** Something has to be stored encrypted and nothing is configured to do it. */
export class EncryptionOff extends Error {
  override readonly name = 'EncryptionOff';

  constructor() {
    super('encryption at rest is off: set data_encryption.driver to aes_master (AUTHPLANE_DATA_ENCRYPTION_DRIVER)');
  }
}
