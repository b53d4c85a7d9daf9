import { SealBroken } from '#libs/vault';

/** Where private halves lie. Their metadata is a row of `signing_keys` in either case. */
export abstract class PrivateKeys {
  /**
   * Keeps a private key, durably, before the row that names it is written.
   *
   * @param pem PKCS #8
   * @returns what the row has to keep for it; undefined when it lies elsewhere
   */
  abstract save(kid: string, pem: string): Promise<string | undefined>;

  /**
   * @param kept what `save` returned
   * @returns the PEM; undefined when this machine does not have it
   */
  abstract load(kid: string, kept: string | undefined): Promise<string | undefined>;
}

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
export class SealedPrivateKeys extends PrivateKeys {
  constructor(private readonly sealer: PrivateKeySealer) {
    super();
  }

  save(kid: string, pem: string): Promise<string> {
    return this.sealer.seal(Buffer.from(pem), contextOf(kid));
  }

  async load(kid: string, kept: string | undefined): Promise<string | undefined> {
    if (kept === undefined) return undefined;
    try {
      return (await this.sealer.open(kept, contextOf(kid))).toString();
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
