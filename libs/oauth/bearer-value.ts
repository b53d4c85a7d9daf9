import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { fromBase64Url } from './base64url.js';
import { bytesOfUuid, uuidOfBytes } from './uuid-bytes.js';

/** What a secret handed out is for: authorization code, session, client secret, registration token, admin key, state of a connect flow. */
export type BearerKind = 'ac' | 'se' | 'cs' | 'rg' | 'ak' | 'cf';

const idBytes = 16;
const randomPart = 32;

/**
 * A new secret: `ap_<kind>_` and base64url(id ‖ 32 random bytes). The id finds its row, the hash is all that is stored, and
 * secret scanners recognise the prefix.
 *
 * @param id a UUID
 * @throws TypeError if it is not one
 */
export function newBearerValue(kind: BearerKind, id: string): { value: string; hash: Buffer } {
  const bytes = Buffer.concat([bytesOfUuid(id), randomBytes(randomPart)]);
  const value = prefixOf(kind) + bytes.toString('base64url');
  return { value, hash: sha256(value) };
}

/** The id inside and the hash to compare by `sameBytes`; undefined unless the value could have been made for this kind. */
export function readBearerValue(kind: BearerKind, value: string): { id: string; hash: Buffer } | undefined {
  const prefix = prefixOf(kind);
  const length = prefix.length + ((idBytes + randomPart) * 4) / 3;
  if (value.length !== length || !value.startsWith(prefix)) return undefined;
  const bytes = fromBase64Url(value.slice(prefix.length));
  return bytes && { id: uuidOfBytes(bytes.subarray(0, idBytes)), hash: sha256(value) };
}

export function sha256(value: string | Buffer): Buffer {
  return createHash('sha256').update(value).digest();
}

/** Equality in time that tells nothing but the lengths. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

function prefixOf(kind: BearerKind): string {
  return `ap_${kind}_`;
}
