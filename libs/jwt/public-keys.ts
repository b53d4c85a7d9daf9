import { createPublicKey } from 'node:crypto';
import type { JWK } from 'jose';
import { clientSigningAlgs, fitsAlg, knownAs, type ClientSigningAlg } from './algorithms.js';

/** A public key of a client: nothing but the members that are needed to verify with it, always in this order. */
export type PublicKey = Readonly<Pick<JWK, 'kty' | 'crv' | 'x' | 'y' | 'n' | 'e' | 'kid' | 'alg' | 'use'>> & JWK;

/** The set cannot be used; `problem` says why and quotes nothing of it. */
export class KeySetRefused extends Error {
  override readonly name = 'KeySetRefused';

  /** @param secret it holds a key that should be nobody else's */
  constructor(
    readonly problem: string,
    readonly secret = false,
  ) {
    super(`the key set was refused: ${problem}`);
  }
}

export const MAX_KEYS = 10;
export const MAX_KEY_SET_BYTES = 16 * 1024;

const PUBLIC_MEMBERS = ['kty', 'crv', 'x', 'y', 'n', 'e', 'kid', 'alg', 'use'] as const;
/** RFC 7518 §6: what a public key never has. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** 8192 bits, and an exponent of 32: a key must not be a way to keep this server busy. */
const MAX_MODULUS_LENGTH = 1366;
const MAX_EXPONENT_LENGTH = 6;
const MIN_RSA_BITS = 2048;

/**
 * Reads a JWK set (RFC 7517 §5) of somebody else. Keys that none of our algorithms can use are passed over; a private or
 * symmetric key anywhere makes all of it worthless, since it is no secret any more.
 *
 * @param value parsed JSON, unchecked
 * @param limits more than those of a client's set, where an operator chose whose it is
 * @returns at least one key
 * @throws KeySetRefused
 */
export function readPublicKeys(
  value: unknown,
  limits: { readonly maxKeys?: number; readonly maxBytes?: number } = {},
): PublicKey[] {
  const { maxKeys = MAX_KEYS, maxBytes = MAX_KEY_SET_BYTES } = limits;
  const keys = isObject(value) ? value['keys'] : undefined;
  if (!Array.isArray(keys) || !keys.every(isObject)) throw new KeySetRefused('it is not a JWK set');
  if (keys.some(isSecret)) throw new KeySetRefused('it holds a private or symmetric key: replace that key', true);
  if (keys.length > maxKeys) throw new KeySetRefused(`it may hold ${maxKeys} keys`);
  if (Buffer.byteLength(JSON.stringify(value)) > maxBytes) throw new KeySetRefused(`it may have ${maxBytes} bytes`);
  const usable = keys.map(publicKey).filter((key) => key !== undefined);
  if (usable.length === 0) throw new KeySetRefused(`it holds no key for ${clientSigningAlgs.join(', ')}`);
  return usable;
}

/** Whether two lists are the same keys. Members may stand in any order: a database keeps none. */
export function keysText(keys: readonly PublicKey[]): string {
  return JSON.stringify(keys.map((key) => PUBLIC_MEMBERS.map((member) => key[member] ?? null)));
}

/** The algorithms that a key can verify. */
export const algsOf = (key: PublicKey): ClientSigningAlg[] => clientSigningAlgs.filter((alg) => fitsAlg(key, alg));

function isSecret(key: Record<string, unknown>): boolean {
  return key['kty'] === 'oct' || PRIVATE_MEMBERS.some((member) => key[member] !== undefined);
}

function publicKey(jwk: Record<string, unknown>): PublicKey | undefined {
  const given = PUBLIC_MEMBERS.filter((member) => jwk[member] !== undefined);
  if (!given.every((member) => typeof jwk[member] === 'string')) return undefined;
  const value = (member: string): unknown => (member === 'alg' ? knownAs(jwk[member]) : jwk[member]);
  const key = Object.fromEntries(given.map((member) => [member, value(member)])) as PublicKey;
  const forSigning = key.use === undefined || key.use === 'sig';
  const named = key.kid === undefined || /^[\x20-\x7e]{1,256}$/.test(key.kid);
  return forSigning && named && algsOf(key).length > 0 && isSound(key) ? key : undefined;
}

/** A point that is not on its curve, or a modulus that is too short, is no key. */
function isSound(key: PublicKey): boolean {
  if ((key.n?.length ?? 0) > MAX_MODULUS_LENGTH || (key.e?.length ?? 0) > MAX_EXPONENT_LENGTH) return false;
  try {
    const bits = createPublicKey({ key, format: 'jwk' }).asymmetricKeyDetails?.modulusLength;
    return bits === undefined || bits >= MIN_RSA_BITS;
  } catch {
    return false;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
