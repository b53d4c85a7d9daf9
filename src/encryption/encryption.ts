/**
 * Encryption at rest. One implementation is in force, chosen by `data_encryption.driver`.
 *
 * `context` says what the value is and whose, as `<purpose>:<owner>`: a sealed value does not open in another context.
 */
export abstract class Encryption {
  abstract readonly driver: 'none' | 'aes_master' | 'vault_transit_encrypt';

  /**
   * @throws EncryptionOff when no driver is configured
   * @throws OAuthError `vault_unavailable`
   */
  abstract seal(plaintext: Buffer, context: string): Promise<string>;

  /**
   * @throws SealBroken when it was changed, sealed for another context, or under a key that is no longer known
   * @throws OAuthError `vault_unavailable`: it says nothing about the value
   */
  abstract open(sealed: string, context: string): Promise<Buffer>;

  /** Whether this key is configured, in force or not. Nothing is opened, and Vault is not asked. */
  abstract knows(key: SealingKey): boolean;

  /** What seals now. Asking is a test of the driver, too. Throws as `seal` does. */
  abstract keyInForce(): Promise<SealingKey>;
}

/** A key, as envelopes name it. */
export interface SealingKey {
  /** For people: `aes_master/1f0c9a3e`, `vault_transit_encrypt/authplane/v3`. */
  readonly id: string;
  /** With what everything begins that it sealed, and nothing else. */
  readonly prefix: string;
}

/** Something has to be stored encrypted and nothing is configured to do it. */
export class EncryptionOff extends Error {
  override readonly name = 'EncryptionOff';

  constructor() {
    super(
      'encryption at rest is off: set data_encryption.driver to aes_master or vault_transit_encrypt (AUTHPLANE_DATA_ENCRYPTION_DRIVER)',
    );
  }
}
