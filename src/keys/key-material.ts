import { Injectable } from '@nestjs/common';
import { generateSigningKey, importPrivate, type SigningKey } from '#libs/jwt';
import { Config } from '../config/config.js';
import type { KeyRecord } from './key-schedule.js';
import { PrivateKeys } from './private-keys.js';

/** This machine cannot sign: somebody else made the key and kept the private half. */
export class PrivateKeyMissing extends Error {
  override readonly name = 'PrivateKeyMissing';

  constructor(kid: string, where: string) {
    super(
      `the private key of the signing key ${kid} is not in ${where}: bring it there, ` +
        'set signing.key_store to postgres_key for several replicas, or, if it is lost, end it and its tokens with ' +
        `authserver forget-key --kid ${kid}`,
    );
  }
}

/** Private halves: made, kept, and read back once per process. */
@Injectable()
export class KeyMaterial {
  private readonly imported = new Map<string, Promise<SigningKey>>();

  constructor(
    private readonly config: Config,
    private readonly privateKeys: PrivateKeys,
  ) {}

  /** A new key of `signing.algorithm`, whose private half is kept when this returns. */
  async generate(createdAt: Date, activatesAt: Date): Promise<KeyRecord> {
    const alg = this.config.signing.algorithm;
    const { kid, privatePem, publicJwk } = await generateSigningKey(alg);
    const sealedPrivateKey = await this.privateKeys.save(kid, privatePem);
    return { kid, alg, publicJwk, sealedPrivateKey, createdAt, activatesAt };
  }

  /** @throws PrivateKeyMissing */
  privateHalf(key: KeyRecord): Promise<SigningKey> {
    const known = this.imported.get(key.kid);
    if (known) return known;
    const loading = this.load(key);
    this.imported.set(key.kid, loading);
    loading.catch(() => this.imported.delete(key.kid));
    return loading;
  }

  private async load({ kid, alg, sealedPrivateKey }: KeyRecord): Promise<SigningKey> {
    const pem = await this.privateKeys.load(kid, sealedPrivateKey);
    const { keyStore, keyPath } = this.config.signing;
    if (pem === undefined) throw new PrivateKeyMissing(kid, keyStore === 'keyfile' ? keyPath : 'signing_keys');
    const key = await importPrivate(pem, alg);
    if (key.kid !== kid) throw new Error(`What is kept as the private key of ${kid} belongs to the key ${key.kid}.`);
    return key;
  }
}
