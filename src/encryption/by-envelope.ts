import { Logger } from '@nestjs/common';
import { SealBroken } from '#libs/vault';
import { Encryption, type SealingKey } from './encryption.js';
import { sealingKeyOf } from './envelope.js';

/** Seals with the driver in force; opens with the one that the envelope names, so that a driver can be changed while values exist. */
export class ByEnvelope extends Encryption {
  readonly driver: Encryption['driver'];
  readonly #log = new Logger('Encryption');
  readonly #told = new Set<string>();

  /** @param formerly what else is configured: it opens, and never seals */
  constructor(
    private readonly inForce: Encryption,
    private readonly formerly: readonly Encryption[],
  ) {
    super();
    this.driver = inForce.driver;
  }

  seal(plaintext: Buffer, context: string): Promise<string> {
    return this.inForce.seal(plaintext, context);
  }

  async open(sealed: string, context: string): Promise<Buffer> {
    const key = sealingKeyOf(sealed);
    const opener = [this.inForce, ...this.formerly].find(({ driver }) => driver === key?.driver);
    if (opener) return opener.open(sealed, context);
    if (key) this.#tell(key.driver);
    throw new SealBroken();
  }

  knows(key: SealingKey): boolean {
    return [this.inForce, ...this.formerly].some((each) => each.knows(key));
  }

  keyInForce(): Promise<SealingKey> {
    return this.inForce.keyInForce();
  }

  /** Once: it concerns the configuration, not the value. */
  #tell(driver: string): void {
    if (this.#told.has(driver)) return;
    this.#told.add(driver);
    this.#log.warn(`there are values sealed by ${driver}: they open only while data_encryption.${driver} is set, too`);
  }
}
