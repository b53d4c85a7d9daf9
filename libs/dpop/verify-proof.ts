import { calculateJwkThumbprint, compactVerify } from 'jose';
import { isShortText, knownAs, readJws } from '#libs/jwt';
import { proofKey, type ProofAlg } from './proof-key.js';
import { targetUrl } from './target-url.js';

const maxLength = 8 * 1024;

export interface ExpectedProof {
  /** Of the request, in upper case. */
  readonly method: string;
  /** Where the world sends the request: never made from its Host header. */
  readonly url: string;
  readonly now: Date;
  /** How far `iat` may be from now, before or after. */
  readonly lifetimeSeconds: number;
  readonly algorithms: readonly ProofAlg[];
}

/** A proof that is in order. Whether its `jti` was used before and whether its `nonce` is live is the caller's to check. */
export interface VerifiedProof {
  /** SHA-256 thumbprint of the key (RFC 7638), base64url. */
  readonly jkt: string;
  readonly jti: string;
  readonly nonce?: string;
  /** Seconds since 1970. */
  readonly iat: number;
}

export type ProofRefusal = 'header' | 'signature' | 'claims' | 'htm' | 'htu' | 'iat';

export class ProofRefused extends Error {
  override readonly name = 'ProofRefused';

  /** @param received the claim that differs, for the operator; from the sender and of any length up to 8 KiB */
  constructor(
    readonly reason: ProofRefusal,
    readonly received?: unknown,
    options?: ErrorOptions,
  ) {
    super('the DPoP proof was refused', options);
  }
}

/**
 * The checks of RFC 9449 §4.3 that need nothing but the proof and the request.
 *
 * @param proof the value of the one DPoP header
 * @throws ProofRefused
 */
export async function verifyProof(proof: string, expected: ExpectedProof): Promise<VerifiedProof> {
  const read = readJws(proof, maxLength);
  if (!read) throw new ProofRefused('header');
  const { header, payload } = read;
  const alg = expected.algorithms.find((allowed) => allowed === knownAs(header['alg']));
  if (alg === undefined || header['typ'] !== 'dpop+jwt' || 'crit' in header) throw new ProofRefused('header');
  const key = proofKey(header['jwk'], alg);
  if (!key) throw new ProofRefused('header');
  await compactVerify(proof, key, { algorithms: [String(header['alg'])] }).catch((cause: unknown) => {
    throw new ProofRefused('signature', undefined, { cause });
  });
  const { jti, htm, htu, iat, nonce } = payload;
  if (!isShortText(jti) || (nonce !== undefined && !isShortText(nonce))) throw new ProofRefused('claims');
  if (htm !== expected.method) throw new ProofRefused('htm', htm);
  const target = typeof htu === 'string' ? targetUrl(htu) : undefined;
  if (target === undefined || target !== targetUrl(expected.url)) throw new ProofRefused('htu', htu);
  const now = expected.now.getTime() / 1000;
  if (!isTime(iat) || Math.abs(now - iat) > expected.lifetimeSeconds) throw new ProofRefused('iat', iat);
  return { jkt: await calculateJwkThumbprint(key, 'sha256'), jti, nonce, iat };
}

/** JSON numbers like 1e999 read as Infinity. */
const isTime = (value: unknown): value is number => Number.isFinite(value);
