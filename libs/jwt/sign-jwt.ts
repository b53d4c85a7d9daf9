import { SignJWT, type JWTPayload } from 'jose';
import type { SigningKey } from './signing-key.js';

/** Signs claims as they are. Times in them are seconds, of the caller's clock; `typ` tells what the token is (RFC 8725 §3.11). */
export function signJwt(
  key: Pick<SigningKey, 'kid' | 'alg' | 'privateKey'>,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const payload: JWTPayload = claims;
  return new SignJWT(payload).setProtectedHeader({ alg: key.alg, kid: key.kid, typ }).sign(key.privateKey);
}
