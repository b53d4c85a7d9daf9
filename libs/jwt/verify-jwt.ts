import { compactVerify, type JWK, type JWTPayload } from 'jose';
import { fitsAlg, type SigningAlg } from './algorithms.js';
import { readJws } from './strict-jws.js';

const maxLength = 16 * 1024;
/** How far `iat` and `nbf` may lie ahead: replicas and issuers drift. */
const maxAheadSeconds = 60;

export interface ExpectedJwt {
  /** Media type in the header, without `application/`: `at+jwt`. */
  readonly typ: string;
  readonly issuer: string;
  readonly algorithms: readonly SigningAlg[];
  readonly now: Date;
  /** How long past `exp` a token still counts. Default 0. */
  readonly clockToleranceSeconds?: number;
  /** How far `iat` and `nbf` may lie ahead. Default 60. */
  readonly maxAheadSeconds?: number;
}

export type JwtRefusal =
  'malformed' | 'typ' | 'kid_unknown' | 'signature' | 'claims_missing' | 'issuer' | 'not_yet_valid' | 'expired';

/** Which check failed is for the audit, not for whoever sent the token. */
export class JwtRefused extends Error {
  override readonly name = 'JwtRefused';

  constructor(
    readonly reason: JwtRefusal,
    options?: ErrorOptions,
  ) {
    super('the JWT was refused', options);
  }
}

/**
 * Verifies a signed JWT (compact form) against keys the caller already trusts, and its `typ`, `iss`, `iat`, `exp`, `nbf`.
 * The audience and everything else is the caller's to check.
 *
 * Keys come from `keys` only, found by `kid`: whatever key or URL the header offers is never looked at (RFC 8725 §3.10).
 *
 * @param keys public keys; jose remembers the imported form by object, so pass the same objects again. They get frozen
 * @throws JwtRefused
 */
export async function verifyJwt(
  jwt: string,
  keys: readonly JWK[],
  expected: ExpectedJwt,
): Promise<{ payload: JWTPayload; kid: string }> {
  const { header, payload } = readJwt(jwt);
  if ('crit' in header) throw new JwtRefused('malformed');
  if (mediaType(header.typ) !== mediaType(expected.typ)) throw new JwtRefused('typ');
  const alg = expected.algorithms.find((allowed) => allowed === header.alg);
  if (alg === undefined) throw new JwtRefused('signature');
  const { kid } = header;
  const named = keys.filter((key) => key.kid === kid);
  if (typeof kid !== 'string' || named.length === 0) throw new JwtRefused('kid_unknown');
  const key = named.find((candidate) => fitsAlg(candidate, alg));
  if (key === undefined) throw new JwtRefused('signature');
  await compactVerify(jwt, key, { algorithms: [alg] }).catch((cause: unknown) => {
    throw new JwtRefused('signature', { cause });
  });
  checkClaims(payload, expected);
  return { payload, kid };
}

/**
 * What a signed JWT in compact form says, before anything is believed.
 *
 * @throws JwtRefused `malformed`: too long, a member twice, not strict base64url, UTF-8 or JSON
 */
export function readJwt(jwt: string): { header: Record<string, unknown>; payload: JWTPayload } {
  const read = readJws(jwt, maxLength);
  if (!read) throw new JwtRefused('malformed');
  return read;
}

function checkClaims(payload: JWTPayload, expected: ExpectedJwt): void {
  const { exp, iat, nbf = iat } = payload;
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) throw new JwtRefused('claims_missing');
  if (payload.iss !== expected.issuer) throw new JwtRefused('issuer');
  const now = expected.now.getTime() / 1000;
  if (Math.max(iat, nbf) > now + (expected.maxAheadSeconds ?? maxAheadSeconds)) throw new JwtRefused('not_yet_valid');
  if (exp + (expected.clockToleranceSeconds ?? 0) <= now) throw new JwtRefused('expired');
}

/** RFC 7519 §2 NumericDate. JSON numbers like 1e999 read as Infinity: such a token would never end. */
export function isTime(value: unknown): value is number {
  return Number.isFinite(value);
}

/** RFC 7515 §4.1.9: `typ` is a media type, compared without case; `application/` may be left out. */
export function mediaType(typ: unknown): string | undefined {
  return typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined;
}
