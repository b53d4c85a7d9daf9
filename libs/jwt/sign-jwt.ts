import type { SigningKey } from './signing-key.js';

/** Signs claims as they are. Times in them are seconds, of the caller's clock; `typ` tells what the token is (RFC 8725 §3.11). */
export async function signJwt(
  key: Pick<SigningKey, 'kid' | 'alg' | 'sign'>,
  typ: string,
  claims: Readonly<Record<string, unknown>>,
): Promise<string> {
  const signed = `${encode({ alg: key.alg, kid: key.kid, typ })}.${encode(claims)}`;
  return `${signed}.${(await key.sign(Buffer.from(signed))).toString('base64url')}`;
}

const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
