import { Injectable } from '@nestjs/common';
import type { SigningKey } from '#libs/jwt';
import type { OAuthError } from '#libs/oauth';
import { Config } from '../config/config.js';
import { isVaultAway } from '../platform/vault/vault-client.js';
import type { KeyRecord } from './key-schedule.js';
import { KeyStores, storeOf } from './key-stores.js';

/** Who signs: what is asked of a key once it is known whose it is. */
export type Signer = Pick<SigningKey, 'kid' | 'alg' | 'sign'>;

/** This machine cannot sign: somebody else made the key and kept the private half. */
export class PrivateKeyMissing extends Error {
  override readonly name = 'PrivateKeyMissing';

  constructor(kid: string, problem: string, remedy: string) {
    super(
      `the private key of the signing key ${kid} ${problem}: ${remedy}, or, if it is lost, end it and its tokens with ` +
        `authserver forget-key --kid ${kid}`,
    );
  }
}

/** No start: it cannot be known whether this machine may sign. */
export class SigningNeedsVault extends Error {
  override readonly name = 'SigningNeedsVault';

  constructor(cause: OAuthError, kid?: string) {
    const lost = kid === undefined ? '' : `; a key that is lost there is ended with authserver forget-key --kid ${kid}`;
    super(`signing needs Vault: ${String(cause.facts.problem)}${lost}`, { cause });
  }
}

const unconfigured = {
  keyfile: '',
  postgres_key: 'lies sealed in signing_keys, and data_encryption.driver is not set',
  vault_transit: 'lies in Vault, and signing.vault_transit is not set',
};

/** What is signed to see whether it can be; no token, and no part of one. */
const PROBE = Buffer.from('authplane: may this key be used?');

/** Keys are made where `signing.key_store` says, and found again where they lie, once per process. */
@Injectable()
export class KeyMaterial {
  private readonly found = new Map<string, Promise<Signer>>();

  constructor(
    private readonly config: Config,
    private readonly stores: KeyStores,
  ) {}

  /**
   * A new key of `signing.algorithm`, whose private half is kept when this returns. It is tried out, so that no rotation ends in a key that
   * does not sign.
   *
   * @param existing every key there ever was
   */
  async generate(existing: readonly KeyRecord[], createdAt: Date, activatesAt: Date): Promise<KeyRecord> {
    const alg = this.config.signing.algorithm;
    const known = new Set(existing.map(({ kid }) => kid));
    const made = { alg, ...(await this.stores.inForce.make(alg, known)), createdAt, activatesAt };
    await this.tryOut(made);
    return made;
  }

  /** @throws PrivateKeyMissing; OAuthError `vault_unavailable` */
  signerOf(key: KeyRecord): Promise<Signer> {
    const known = this.found.get(key.kid);
    if (known) return known;
    const finding = this.find(key);
    this.found.set(key.kid, finding);
    finding.catch(() => this.found.delete(key.kid));
    return finding;
  }

  /**
   * Whether this machine could sign a token with it.
   *
   * @throws what stands in the way
   */
  async tryOut(key: KeyRecord): Promise<void> {
    await (await this.signerOf(key)).sign(PROBE);
  }

  /** At boot: each key that signs or will. @param active of these */
  async tryAll(keys: readonly KeyRecord[], active: KeyRecord): Promise<void> {
    for (const key of keys) {
      await this.tryOut(key).catch((error: unknown) => {
        throw isVaultAway(error) ? new SigningNeedsVault(error, key.kid) : error;
      });
    }
    this.stores.tellOfFormer(active);
  }

  private async find(key: KeyRecord): Promise<Signer> {
    const store = this.stores.of(key);
    if (!store)
      throw new PrivateKeyMissing(key.kid, unconfigured[storeOf(key)], 'keep the setting until another key signs');
    const signer = await store.find(key);
    if (signer) return signer;
    throw new PrivateKeyMissing(
      key.kid,
      `is not in ${store.where}`,
      'bring it there, set signing.key_store to postgres_key or vault_transit for several replicas',
    );
  }
}
