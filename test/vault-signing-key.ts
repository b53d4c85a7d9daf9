import { createECDH, generateKeyPairSync, privateEncrypt, sign, type KeyObject } from 'node:crypto';

/** As a Transit key of a signing type is: its versions are real keys. */
export interface VaultSigningKey {
  readonly type: VaultSigningType;
  readonly versions: { readonly privateKey: KeyObject; readonly publicKey: KeyObject }[];
  /** `min_encryption_version`, which is that of signing too. */
  minimum: number;
  exportable: boolean;
}

export type VaultSigningType = 'ecdsa-p256' | 'ecdsa-p384' | 'rsa-2048' | 'ed25519';

export function aVaultSigningKey(type: VaultSigningType): VaultSigningKey {
  const key: VaultSigningKey = { type, versions: [], minimum: 0, exportable: false };
  addVersion(key);
  return key;
}

export const addVersion = ({ type, versions }: VaultSigningKey): void => void versions.push(pairs[type]());

const pairs: Record<VaultSigningType, () => VaultSigningKey['versions'][number]> = {
  'ecdsa-p256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ecdsa-p384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'rsa-2048': () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ed25519: () => generateKeyPairSync('ed25519'),
};

/** What `GET keys/<name>` and a rotation answer with. */
export function describeKey({ type, versions, minimum, exportable }: VaultSigningKey, name: string): object {
  const keys = versions.map(({ publicKey }, index) => [
    String(index + 1),
    { creation_time: '2030-01-01T00:00:00Z', name: type, public_key: publicText(publicKey) },
  ]);
  return {
    name,
    type,
    keys: Object.fromEntries(keys) as object,
    latest_version: versions.length,
    min_encryption_version: minimum,
    min_decryption_version: 1,
    exportable,
    allow_plaintext_backup: false,
    deletion_allowed: false,
    supports_signing: true,
  };
}

/** @returns the signature as Vault writes it, or what it says against it */
export function signWith(
  { type, versions, minimum }: VaultSigningKey,
  body: Record<string, unknown>,
): { signature: string; key_version: number } | string {
  const version = Number(body.key_version ?? versions.length) || versions.length;
  if (version < minimum) return 'requested version for signing is less than the minimum encryption key version';
  const { privateKey } = versions[version - 1] ?? {};
  if (!privateKey) return 'requested version for signing is higher than the latest key version';
  const input = Buffer.from(String(body.input), 'base64');
  const written = (bytes: string) => ({ signature: `vault:v${version}:${bytes}`, key_version: version });
  if (type === 'ed25519') return written(sign(null, input, privateKey).toString('base64'));
  if (body.prehashed !== true || body.hash_algorithm !== 'sha2-256' || input.length !== 32) return 'unexpected digest';
  if (type === 'rsa-2048')
    return body.signature_algorithm === 'pkcs1v15'
      ? written(privateEncrypt(privateKey, Buffer.concat([sha256Info, input])).toString('base64'))
      : 'only pkcs1v15 here';
  return body.marshaling_algorithm === 'jws' && type === 'ecdsa-p256'
    ? written(ecdsa(privateKey, input).toString('base64url'))
    : 'jws is for P-256';
}

const publicText = (key: KeyObject): string =>
  key.asymmetricKeyType === 'ed25519'
    ? Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url').toString('base64')
    : key.export({ type: 'spki', format: 'pem' }).toString();

/** RFC 8017 §9.2: what stands before a SHA-256 digest. */
const sha256Info = Buffer.from('3031300d060960864801650304020105000420', 'hex');
const order = BigInt('0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');

/** FIPS 186-5 §6.4.1 over a digest, which Node's own signing would hash once more. */
function ecdsa(key: KeyObject, digest: Buffer): Buffer {
  const once = createECDH('prime256v1');
  const r = numberOf(once.generateKeys().subarray(1, 33)) % order;
  const d = numberOf(Buffer.from(key.export({ format: 'jwk' }).d ?? '', 'base64url'));
  const s = (inverse(numberOf(once.getPrivateKey())) * (numberOf(digest) + r * d)) % order;
  return Buffer.concat([bytesOf(r), bytesOf(s)]);
}

const numberOf = (bytes: Buffer): bigint => BigInt(`0x${bytes.toString('hex') || '0'}`);
const bytesOf = (value: bigint): Buffer => Buffer.from(value.toString(16).padStart(64, '0'), 'hex');

/** By Fermat: the order is prime. */
function inverse(value: bigint): bigint {
  let [result, square, exponent] = [1n, value % order, order - 2n];
  for (; exponent > 0n; exponent >>= 1n) {
    if (exponent & 1n) result = (result * square) % order;
    square = (square * square) % order;
  }
  return result;
}
