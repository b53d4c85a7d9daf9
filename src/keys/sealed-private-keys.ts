import { SealBroken } from '#libs/vault';
import type { KeyRecord, Whereabouts } from './key-schedule.js';
import { PemKeys } from './private-keys.js';

/** The part of encryption at rest that keys need; the application hands in the one that is configured. */
export abstract class PrivateKeySealer {
  abstract seal(plaintext: Buffer, context: string): Promise<string>;
  abstract open(sealed: string, context: string): Promise<Buffer>;
}

/** Where sealed private keys lie, for re-encryption. */
export const sealedKeyColumn = {
  table: 'signing_keys',
  column: 'sealed_private_key',
  key: 'kid',
  keyType: 'text',
  reads: [],
  context: ({ kid = '' }: Readonly<Record<string, string>>) => contextOf(kid),
} as const;

/** `signing.key_store: postgres_key`: sealed in the row itself, so every replica has it. */
export class SealedPrivateKeys extends PemKeys {
  readonly where = 'signing_keys';

  constructor(private readonly sealer: PrivateKeySealer) {
    super();
  }

  protected async save(kid: string, pem: string): Promise<Whereabouts> {
    return { sealedPrivateKey: await this.sealer.seal(Buffer.from(pem), contextOf(kid)) };
  }

  protected async load({ kid, sealedPrivateKey }: KeyRecord): Promise<string | undefined> {
    if (sealedPrivateKey === undefined) return undefined;
    try {
      return (await this.sealer.open(sealedPrivateKey, contextOf(kid))).toString();
    } catch (cause) {
      if (!(cause instanceof SealBroken)) throw cause; // what seals is away: nothing is wrong with the key
      throw new Error(
        `the private key of the signing key ${kid} does not open: if the master key was changed, name the variable with the former one in data_encryption.aes_master.old_key_env`,
        { cause },
      );
    }
  }
}

function contextOf(kid: string): string {
  return `signing-key:${kid}`;
}
