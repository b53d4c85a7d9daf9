import { createHash } from 'node:crypto';
import { Logger } from '@nestjs/common';
import { importRemote, SigningKeyRefused, type RemoteKey, type SigningAlg, type SigningKey } from '#libs/jwt';
import { dataOf, textOf, transitPath, type TransitEngine, type TransitKey } from '../platform/vault/transit-engine.js';
import type { KeyRecord } from './key-schedule.js';
import { KeyStoreUnfit, PrivateKeys, type MadeKey } from './private-keys.js';

/** Of a Transit key, the first being the one to make. */
const typesFor: Readonly<Record<SigningAlg, readonly string[]>> = {
  ES256: ['ecdsa-p256'],
  RS256: ['rsa-3072', 'rsa-2048', 'rsa-4096'],
  EdDSA: ['ed25519'],
};

const digestOf = (data: Buffer): object => ({
  input: createHash('sha256').update(data).digest('base64'),
  prehashed: true,
  hash_algorithm: 'sha2-256',
});
/** Of what is signed Vault gets the digest alone, but for Ed25519, which signs the whole of it (RFC 8032 §5.1.6). */
const requestFor: Readonly<Record<SigningAlg, (data: Buffer) => object>> = {
  ES256: (data) => ({ ...digestOf(data), marshaling_algorithm: 'jws' }),
  RS256: (data) => ({ ...digestOf(data), signature_algorithm: 'pkcs1v15' }),
  EdDSA: (data) => ({ input: data.toString('base64') }),
};

/** `<mount>/<name>/<version>`, and nothing that leads elsewhere in Vault. */
const referenceForm = /^(\w[\w-]*(?:\/\w[\w-]*)*)\/(\w[\w.-]*)\/([1-9]\d{0,8})$/;
/** With room for RSA of 4096 bits in base64. */
const signatureForm = /^vault:v(\d{1,9}):([A-Za-z0-9+/_-]{1,1024}={0,2})$/;

/**
 * `signing.key_store: vault_transit`: each key is a version of a Transit key of HashiCorp Vault or OpenBao, which signs. What comes back is
 * verified before it leaves: a signature by another version, or by whoever stands between, is none.
 */
export class TransitKeys extends PrivateKeys {
  readonly #log = new Logger('Vault');
  readonly #engines = new Map<string, TransitEngine>();
  #told = false;

  /** @param to the engine for a key; rows may name a former one */
  constructor(
    private readonly to: (key: TransitKey) => TransitEngine,
    private readonly inForce: TransitKey,
  ) {
    super();
  }

  get where(): string {
    return `the Transit key ${transitPath(this.inForce, 'read')}`;
  }

  /** The newest version if no row has had it, such as that of a rotation whose row was not written; else another one. */
  async make(alg: SigningAlg, known: ReadonlySet<string>): Promise<MadeKey> {
    const found = await this.#newest(alg);
    if (!known.has(found.kid)) return found;
    await this.#rotate();
    const made = await this.#newest(alg);
    if (known.has(made.kid)) throw new KeyStoreUnfit(`${this.where} was rotated, and shows no new version`);
    return made;
  }

  async find({ kid, alg, publicJwk, transitKey = '' }: KeyRecord): Promise<Pick<SigningKey, 'kid' | 'alg' | 'sign'>> {
    const [, mountPath, keyName, version] = referenceForm.exec(transitKey) ?? [];
    const remote = await importRemote(publicJwk, alg);
    if (mountPath === undefined || keyName === undefined || remote.kid !== kid)
      throw new Error(`The row of the signing key ${kid} does not say which key of Vault it is.`);
    const engine = this.#engine({ mountPath, keyName });
    return { kid, alg, sign: (data) => signedBy(engine, Number(version), alg, remote, data) };
  }

  async #newest(alg: SigningAlg): Promise<MadeKey> {
    const engine = this.#engine(this.inForce);
    const path = transitPath(this.inForce, 'read');
    const answer = await engine.ask('read', {}, [404]);
    const [type = ''] = typesFor[alg];
    const command = `vault write -f ${path} type=${type}`;
    if (answer.status !== 200) throw new KeyStoreUnfit(`there is no Transit key ${path}: make it with "${command}"`);
    const { type: found, latest_version: version, keys, exportable, allow_plaintext_backup: backup } = dataOf(answer);
    if (typeof found !== 'string') throw engine.away('read', 'its answer cannot be read');
    if (!typesFor[alg].includes(found))
      throw new KeyStoreUnfit(
        `the Transit key ${path} is not of the type ${typesFor[alg].join(' or ')}, which signing.algorithm ${alg} needs: ` +
          'name another key in signing.vault_transit.key_name, or set signing.algorithm as the key is',
      );
    if (exportable === true || backup === true) this.#tellOfExport(path);
    const held = typeof keys === 'object' && keys !== null ? (keys as Record<string, unknown>)[String(version)] : {};
    const { public_key: text } = (held ?? {}) as Record<string, unknown>;
    if (typeof text !== 'string' || text.length > 4096) throw engine.away('read', 'its answer cannot be read');
    const { kid, publicJwk } = await publicHalf(text, alg).catch((error: unknown) => {
      throw error instanceof SigningKeyRefused ? new KeyStoreUnfit(`the Transit key ${path}: ${error.message}`) : error;
    });
    return { kid, publicJwk, transitKey: `${this.inForce.mountPath}/${this.inForce.keyName}/${String(version)}` };
  }

  async #rotate(): Promise<void> {
    const path = transitPath(this.inForce, 'rotate');
    const { status } = await this.#engine(this.inForce).ask('rotate', {}, [403, 404]);
    if (status === 200) return;
    if (status === 403)
      throw new KeyStoreUnfit(
        `Vault does not let this server rotate: its policy needs update on ${path}, or somebody does it with "vault write -f ${path}", and then this again`,
      );
    throw new KeyStoreUnfit(`Vault does not rotate: see what "vault write -f ${path}" says`);
  }

  /** Not refused: it cannot be taken back from a key, and whether somebody may export it is for Vault's policies to say. */
  #tellOfExport(path: string): void {
    if (!this.#told)
      this.#log.warn(
        `the Transit key ${path} may be exported or backed up in plain text: its private half can leave Vault`,
      );
    this.#told = true;
  }

  #engine(key: TransitKey): TransitEngine {
    const path = transitPath(key, 'read');
    const engine = this.#engines.get(path) ?? this.to(key);
    this.#engines.set(path, engine);
    return engine;
  }
}

/** Vault tells keys of RSA and ECDSA as PEM, and Ed25519 as the 32 bytes themselves. */
function publicHalf(text: string, alg: SigningAlg): Promise<RemoteKey> {
  const x = Buffer.from(text, 'base64').toString('base64url');
  return importRemote(alg === 'EdDSA' ? { kty: 'OKP', crv: 'Ed25519', x } : text, alg);
}

async function signedBy(
  engine: TransitEngine,
  version: number,
  alg: SigningAlg,
  key: RemoteKey,
  data: Buffer,
): Promise<Buffer> {
  const answer = await engine.ask('sign', { ...requestFor[alg](data), key_version: version });
  if (answer.status !== 200)
    throw engine.away(
      'sign',
      `it does not sign with version ${version}: is it there, and min_encryption_version not above?`,
    );
  const [, by, encoded = ''] = signatureForm.exec(textOf(answer, 'signature') ?? '') ?? [];
  if (by === undefined) throw engine.away('sign', 'its answer cannot be read');
  const signature = Buffer.from(encoded, 'base64');
  if (Number(by) !== version || !key.verify(data, signature))
    throw engine.away('sign', `what it answered is no signature by version ${version}`);
  return signature;
}
