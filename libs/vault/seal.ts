import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { fromBase64Url } from '#libs/oauth';

const version = 'v1';
const cipherName = 'aes-256-gcm';
const ivBytes = 12;
const tagBytes = 16;
const envelope = /^v1\.([A-Za-z0-9_-]{0,64})\.([A-Za-z0-9_-]+)$/;

/** A sealed value that does not open. It says no more: which part was wrong would help only an attacker. */
export class SealBroken extends Error {
  override readonly name = 'SealBroken';

  constructor() {
    super('the sealed value cannot be opened');
  }
}

/**
 * Encrypts by AES-256-GCM into `v1.<keyId>.<base64url(iv ‖ tag ‖ ciphertext)>`.
 *
 * @param key 32 bytes, of one purpose (`deriveKey`); at most 2^32 values may be sealed by one key, since IVs are random
 * @param context what the value is and whose: authenticated, not stored. A seal does not open in another context
 * @param keyId up to 64 characters of A-Z a-z 0-9 _ -, so that keys can be changed
 * @throws RangeError for a key or key id of another form
 */
export function seal(key: Buffer, plaintext: Buffer | string, context: string, keyId = ''): string {
  if (!/^[A-Za-z0-9_-]{0,64}$/.test(keyId)) throw new RangeError('a key id has up to 64 characters of A-Z a-z 0-9 _ -');
  const iv = randomBytes(ivBytes);
  const cipher = createCipheriv(cipherName, key, iv, { authTagLength: tagBytes }).setAAD(bound(keyId, context));
  const ciphertext = Buffer.concat([cipher.update(plaintext), cipher.final()]);
  return `${version}.${keyId}.${Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString('base64url')}`;
}

/**
 * @param keys the key, or all keys that may have sealed it, by key id
 * @throws SealBroken if the value is malformed or changed, or was sealed by another key or for another context
 * @throws RangeError for a key that is not 32 bytes
 */
export function open(keys: Buffer | ReadonlyMap<string, Buffer>, sealed: string, context: string): Buffer {
  const { keyId, bytes } = partsOf(sealed);
  const key = Buffer.isBuffer(keys) ? keys : keys.get(keyId);
  if (!key) throw new SealBroken();
  const decipher = createDecipheriv(cipherName, key, bytes.subarray(0, ivBytes), { authTagLength: tagBytes })
    .setAAD(bound(keyId, context))
    .setAuthTag(bytes.subarray(ivBytes, ivBytes + tagBytes));
  const plaintext = decipher.update(bytes.subarray(ivBytes + tagBytes));
  try {
    return Buffer.concat([plaintext, decipher.final()]);
  } catch {
    throw new SealBroken();
  }
}

/**
 * The id of the key that sealed a value, not yet authenticated.
 *
 * @throws SealBroken if it is no sealed value
 */
export function keyIdOf(sealed: string): string {
  return partsOf(sealed).keyId;
}

function partsOf(sealed: string): { keyId: string; bytes: Buffer } {
  const [, keyId, text] = envelope.exec(sealed) ?? [];
  const bytes = text === undefined ? undefined : fromBase64Url(text);
  if (keyId === undefined || !bytes || bytes.length < ivBytes + tagBytes) throw new SealBroken();
  return { keyId, bytes };
}

/** JSON keeps the parts apart: no key id and context can be shifted into another pair with the same bytes. */
function bound(keyId: string, context: string): Buffer {
  return Buffer.from(JSON.stringify([version, keyId, context]));
}
