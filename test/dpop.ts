import { randomUUID } from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import type { Target } from './app.js';
import { basicOf, type ClientFixture, type TokenResponse } from './builders.js';

/** A key of a client, and what proves that it holds it. */
export interface ProofKey {
  readonly privateKey: CryptoKey;
  readonly publicJwk: JWK;
  readonly jkt: string;
}

export async function aKey(alg = 'ES256'): Promise<ProofKey> {
  return proofKeyOf(await generateKeyPair(alg, { extractable: true }));
}

/** A key that somebody else made. */
export async function proofKeyOf({ privateKey, publicKey }: CryptoKeyPair): Promise<ProofKey> {
  const publicJwk = await exportJWK(publicKey);
  return { privateKey, publicJwk, jkt: await calculateJwkThumbprint(publicJwk) };
}

/** A proof for the token endpoint; what is given replaces a claim, or a member of the header. */
export function aProof(
  app: Target & { clock: { now(): Date } },
  { privateKey, publicJwk }: ProofKey,
  claims: Record<string, unknown> = {},
  header: Record<string, unknown> = {},
): Promise<string> {
  const iat = Math.floor(app.clock.now().getTime() / 1000);
  return new SignJWT({ jti: randomUUID(), htm: 'POST', htu: `${app.issuer}/oauth/token`, iat, ...claims })
    .setProtectedHeader({ typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk, ...header })
    .sign(privateKey);
}

/** A token request with these DPoP headers. */
export async function askWith(
  app: Pick<Target, 'url'>,
  proofs: string | readonly string[] | undefined,
  form: Record<string, string>,
  client: ClientFixture,
): Promise<TokenResponse> {
  const headers = new Headers(basicOf(client));
  for (const proof of [proofs ?? []].flat()) headers.append('DPoP', proof);
  const response = await fetch(`${app.url}/oauth/token`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ ...form, ...(client.secret === undefined ? { client_id: client.id } : {}) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}
