import { deriveKey, open, seal } from '#libs/vault';
import { Encryption, type SealingKey } from './encryption.js';

/**
 * AES-256-GCM under keys derived from a master key, one per purpose. The envelope names the master key, so that after a change
 * the former one still opens what it sealed, and seals nothing more.
 */
export class AesMaster extends Encryption {
  readonly driver = 'aes_master';
  private readonly masters: ReadonlyMap<string, Buffer>;
  private readonly sealingId: string;
  private readonly derived = new Map<string, ReadonlyMap<string, Buffer>>();

  /** @param masterKey 64 hex characters, as is `oldMasterKey` */
  constructor(masterKey: string, oldMasterKey?: string) {
    super();
    const masters = [masterKey, oldMasterKey].filter((hex) => hex !== undefined).map((hex) => Buffer.from(hex, 'hex'));
    if (masters.some(({ length }) => length !== 32)) throw new RangeError('a master key has 64 hex characters');
    this.masters = new Map(masters.toReversed().map((master) => [idOf(master), master]));
    this.sealingId = [...this.masters.keys()].at(-1) ?? '';
  }

  async seal(plaintext: Buffer, context: string): Promise<string> {
    const key = this.keysFor(context).get(this.sealingId) as Buffer;
    return seal(key, plaintext, context, this.sealingId);
  }

  async open(sealed: string, context: string): Promise<Buffer> {
    return open(this.keysFor(context), sealed, context);
  }

  async keyInForce(): Promise<SealingKey> {
    return { id: `${this.driver}/${this.sealingId}`, prefix: prefixOf(this.sealingId) };
  }

  knows({ prefix }: SealingKey): boolean {
    return [...this.masters.keys()].some((id) => prefix === prefixOf(id));
  }

  private keysFor(context: string): ReadonlyMap<string, Buffer> {
    const purpose = context.split(':', 1)[0] ?? '';
    const known = this.derived.get(purpose);
    if (known) return known;
    const keys = new Map(
      [...this.masters].map(([id, master]) => [id, deriveKey(master, `data-encryption/${purpose}`)]),
    );
    this.derived.set(purpose, keys);
    return keys;
  }
}

const prefixOf = (id: string): string => `v1.${id}.`;

/** Eight characters that tell masters apart; derived one way, so they say nothing about the key. */
function idOf(master: Buffer): string {
  return deriveKey(master, 'data-encryption-key-id').toString('hex').slice(0, 8);
}
