import type { JWK } from 'jose';

export const signingAlgs = ['ES256', 'RS256', 'EdDSA'] as const;

/** Asymmetric only: `none` and HMAC cannot be named. */
export type SigningAlg = (typeof signingAlgs)[number];

/** What clients may sign with (RFC 7518 §3.1, RFC 8037), in the order the metadata lists them. */
export const clientSigningAlgs = ['ES256', 'RS256', 'PS256', 'EdDSA'] as const;

export type ClientSigningAlg = (typeof clientSigningAlgs)[number];

const shapes: Readonly<Record<ClientSigningAlg, { readonly kty: string; readonly crv: string | undefined }>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  RS256: { kty: 'RSA', crv: undefined },
  PS256: { kty: 'RSA', crv: undefined },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
};

/** Whether a key is of the kind an algorithm needs. The key decides, never the header of a token (RFC 8725 §3.1). */
export function fitsAlg(jwk: JWK, alg: ClientSigningAlg): boolean {
  const { kty, crv } = shapes[alg];
  return jwk.kty === kty && jwk.crv === crv && (jwk.alg === undefined || jwk.alg === alg);
}

/** RFC 9864 gives EdDSA with Ed25519, the only curve we take, a name of its own; some libraries send it already. */
export const knownAs = (alg: unknown): unknown => (alg === 'Ed25519' ? 'EdDSA' : alg);
