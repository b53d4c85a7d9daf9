import { Encryption, EncryptionOff } from './encryption.js';

/** `data_encryption.driver` is unset: what must be sealed cannot be stored. */
export class NoEncryption extends Encryption {
  readonly driver = 'none';

  async seal(): Promise<string> {
    throw new EncryptionOff();
  }

  async open(): Promise<Buffer> {
    throw new EncryptionOff();
  }

  knows(): boolean {
    return false;
  }

  async keyInForce(): Promise<never> {
    throw new EncryptionOff();
  }
}
