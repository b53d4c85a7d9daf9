import type { JWK, JWTPayload } from 'jose';
import { clientSigningAlgs, fitsAlg, knownAs, type ClientSigningAlg } from './algorithms.js';
import { isShortText } from './strict-jws.js';
import { verifyByAny } from './verify-by-any.js';
import { isTime, JwtRefused, mediaType, readJwt } from './verify-jwt.js';

export type AssertionCheck =
  | 'malformed'
  | 'typ'
  | 'alg'
  | 'kid'
  | 'signature'
  | 'issuer'
  | 'subject'
  | 'audience'
  | 'expired'
  | 'too_far_ahead'
  | 'not_yet_valid'
  | 'jti';

/** Which check failed is for the operator, not for whoever sent the assertion. */
export class AssertionRefused extends Error {
  override readonly name = 'AssertionRefused';

  constructor(
    readonly check: AssertionCheck,
    options?: ErrorOptions,
  ) {
    super(`the client assertion was refused: ${check}`, options);
  }
}

export interface ExpectedAssertion {
  readonly clientId: string;
  /** Each of them alone may be the audience: the issuer, and what a legacy switch adds. */
  readonly audiences: readonly string[];
  /** The algorithm the client registered; without one, whatever its keys can verify. */
  readonly alg?: ClientSigningAlg;
  readonly now: Date;
}

/** An assertion whose every check has passed but one: that its `jti` was never seen before. */
export interface VerifiedAssertion {
  readonly jti: string;
  readonly expiresAt: Date;
}

const maxLifetimeSeconds = 300;
/** How far a client's clock may be ahead of ours, for `iat` and `nbf`. Not for `exp`: five minutes are far more than a request needs. */
const maxDriftSeconds = 60;
/** RFC 7523 §2.2, and rfc7523bis; absent is allowed. */
const types: readonly unknown[] = ['jwt', 'client-authentication+jwt'];

/** Who an assertion says it is from, and which key it names: both unproven. Undefined if it cannot be read at all. */
export function readClaimed(assertion: string): { subject: unknown; kid: string | undefined } | undefined {
  try {
    const { header, payload } = readJwt(assertion);
    return { subject: payload.sub, kid: typeof header['kid'] === 'string' ? header['kid'] : undefined };
  } catch {
    return undefined;
  }
}

/**
 * Verifies a client assertion (RFC 7523 §3, with the audience of rfc7523bis §4).
 *
 * The key decides about the algorithm, and the client's registration if it names one; the header only picks among what they
 * leave. Keys and URLs in the header are never looked at (RFC 8725 §3.1, §3.10).
 *
 * @param keys public keys of the client that the assertion claims to be from
 * @throws AssertionRefused
 */
export async function verifyClientAssertion(
  assertion: string,
  keys: readonly JWK[],
  expected: ExpectedAssertion,
): Promise<VerifiedAssertion> {
  const { header, payload } = read(assertion);
  const alg = clientSigningAlgs.find((allowed) => allowed === knownAs(header['alg']));
  if (alg === undefined || (expected.alg !== undefined && alg !== expected.alg)) throw new AssertionRefused('alg');
  const named = keys.filter(({ kid }) => header['kid'] === undefined || kid === undefined || kid === header['kid']);
  if (named.length === 0) throw new AssertionRefused('kid');
  const fitting = named.filter((key) => fitsAlg(key, alg));
  if (fitting.length === 0) throw new AssertionRefused('alg');
  await verifyByAny(assertion, fitting, String(header['alg'])).catch((cause: unknown) => {
    throw new AssertionRefused('signature', { cause });
  });
  return checkClaims(payload, expected);
}

function read(assertion: string): { header: Record<string, unknown>; payload: JWTPayload } {
  let parts;
  try {
    parts = readJwt(assertion);
  } catch (cause) {
    if (cause instanceof JwtRefused) throw new AssertionRefused('malformed', { cause });
    throw cause;
  }
  const { header } = parts;
  if ('crit' in header || 'b64' in header) throw new AssertionRefused('malformed');
  if (header['typ'] !== undefined && !types.includes(mediaType(header['typ']))) throw new AssertionRefused('typ');
  return parts;
}

function checkClaims(payload: JWTPayload, { clientId, audiences, now }: ExpectedAssertion): VerifiedAssertion {
  const { iss, sub, exp, jti } = payload;
  if (iss !== clientId) throw new AssertionRefused('issuer');
  if (sub !== clientId) throw new AssertionRefused('subject');
  const aud: unknown = Array.isArray(payload.aud) && payload.aud.length === 1 ? payload.aud[0] : payload.aud;
  if (typeof aud !== 'string' || !audiences.includes(aud)) throw new AssertionRefused('audience');
  const seconds = now.getTime() / 1000;
  if (!isTime(exp) || exp <= seconds) throw new AssertionRefused('expired');
  if (exp > seconds + maxLifetimeSeconds) throw new AssertionRefused('too_far_ahead');
  for (const time of [payload.iat, payload.nbf]) {
    if (time !== undefined && !(isTime(time) && time <= seconds + maxDriftSeconds))
      throw new AssertionRefused('not_yet_valid');
  }
  if (!isShortText(jti)) throw new AssertionRefused('jti');
  return { jti, expiresAt: new Date(exp * 1000) };
}
