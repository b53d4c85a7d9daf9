import { generateSigningKey, importPrivate, type JWK, type SigningAlg, type SigningKey } from '#libs/jwt';
import type { KeyRecord, Whereabouts } from './key-schedule.js';

/** A key as it was made, and what its row has to keep so that it is found again. */
export interface MadeKey extends Whereabouts {
  readonly kid: string;
  readonly publicJwk: JWK;
}

/** Makes keys and signs with them: one for each `signing.key_store`. Their metadata is a row of `signing_keys` in every case. */
export abstract class PrivateKeys {
  /** For people. */
  abstract readonly where: string;

  /**
   * A key that is kept, durably, when this returns: before the row that names it is written.
   *
   * @param known every kid there ever was
   * @throws KeyStoreUnfit
   */
  abstract make(alg: SigningAlg, known: ReadonlySet<string>): Promise<MadeKey>;

  /** @returns who signs with this key; undefined when that is not to be had here */
  abstract find(key: KeyRecord): Promise<Pick<SigningKey, 'kid' | 'alg' | 'sign'> | undefined>;
}

/** The key store cannot make such a key until somebody changes something there; the message says what. */
export class KeyStoreUnfit extends Error {
  override readonly name = 'KeyStoreUnfit';
}

/** Keys that are made here and kept as PEM. */
export abstract class PemKeys extends PrivateKeys {
  /**
   * @param pem PKCS #8
   * @returns what the row has to keep for it
   */
  protected abstract save(kid: string, pem: string): Promise<Whereabouts>;

  /** @returns the PEM; undefined when this machine does not have it */
  protected abstract load(key: KeyRecord): Promise<string | undefined>;

  async make(alg: SigningAlg): Promise<MadeKey> {
    const { kid, privatePem, publicJwk } = await generateSigningKey(alg);
    return { kid, publicJwk, ...(await this.save(kid, privatePem)) };
  }

  async find(record: KeyRecord): Promise<SigningKey | undefined> {
    const pem = await this.load(record);
    if (pem === undefined) return undefined;
    const key = await importPrivate(pem, record.alg);
    if (key.kid !== record.kid)
      throw new Error(`What is kept as the private key of ${record.kid} belongs to the key ${key.kid}.`);
    return key;
  }
}
