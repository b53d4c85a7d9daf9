import type { JWK } from 'jose';

export const signingAlgs = ['ES256', 'RS256', 'EdDSA'] as const;

/** Asymmetric only: `none` and HMAC cannot be named. */
export type SigningAlg = (typeof signingAlgs)[number];

const shapes: Readonly<Record<SigningAlg, { readonly kty: string; readonly crv: string | undefined }>> = {
  ES256: { kty: 'EC', crv: 'P-256' },
  RS256: { kty: 'RSA', crv: undefined },
  EdDSA: { kty: 'OKP', crv: 'Ed25519' },
};

/** Whether a key is of the kind an algorithm needs. The key decides, never the header of a token (RFC 8725 §3.1). */
export function fitsAlg(jwk: JWK, alg: SigningAlg): boolean {
  const { kty, crv } = shapes[alg];
  return jwk.kty === kty && jwk.crv === crv && (jwk.alg === undefined || jwk.alg === alg);
}
