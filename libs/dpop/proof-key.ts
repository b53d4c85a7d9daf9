import type { JWK } from 'jose';
import { fromBase64Url } from '#libs/oauth';

export const proofAlgs = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;

/** Asymmetric only: `none` and HMAC cannot be named. */
export type ProofAlg = (typeof proofAlgs)[number];

const rsa = { kty: 'RSA', crv: undefined, numbers: ['n', 'e'] } as const;
const shapes = {
  ES256: { kty: 'EC', crv: 'P-256', numbers: ['x', 'y'] },
  RS256: rsa,
  PS256: rsa,
  EdDSA: { kty: 'OKP', crv: 'Ed25519', numbers: ['x'] },
} as const;

/** RFC 7518 §6, RFC 8037 §2: what a public key never has. */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];
/** Whoever sends a key chooses the work of verifying with it: RSA of 4096 bits, and an exponent of 24. */
const maxBytes = { x: 32, y: 32, n: 512, e: 3 } as const;

/**
 * The public key that a proof brings along, reduced to the members that its thumbprint is made of (RFC 7638 §3.2).
 *
 * @returns undefined when it is no public key for `alg`, or has a private member
 */
export function proofKey(jwk: unknown, alg: ProofAlg): JWK | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined;
  const given = jwk as Readonly<Record<string, unknown>>;
  const { kty, crv, numbers } = shapes[alg];
  if (given['kty'] !== kty || given['crv'] !== crv || privateMembers.some((member) => member in given))
    return undefined;
  const key: Record<string, string> = crv === undefined ? { kty } : { kty, crv };
  for (const name of numbers) {
    const value = given[name];
    if (typeof value !== 'string') return undefined;
    const bytes = fromBase64Url(value);
    if (!bytes || bytes.length > maxBytes[name]) return undefined;
    key[name] = value;
  }
  return key as unknown as JWK;
}
