import { createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { promisify } from 'node:util';
import { calculateJwkThumbprint, exportPKCS8, generateKeyPair, type JWK } from 'jose';
import { fitsAlg, type SigningAlg } from './algorithms.js';

const rsaBits = 2048;

export interface SigningKey {
  /** RFC 7638 thumbprint of the public key. */
  readonly kid: string;
  readonly alg: SigningAlg;
  /** The signature of a JWS over these bytes. The private half does not come out of it. */
  readonly sign: (data: Buffer) => Buffer | Promise<Buffer>;
  /** Ready for a JWKS: with `kid`, `alg` and `use`. */
  readonly publicJwk: JWK;
}

/** A private key that must not sign. The message says why and holds nothing of the key. */
export class SigningKeyRefused extends Error {
  override readonly name = 'SigningKeyRefused';
}

/** @returns the key as PKCS #8 PEM, to be sealed or written with mode 0600, and its public half */
export async function generateSigningKey(
  alg: SigningAlg,
): Promise<{ privatePem: string; publicJwk: JWK; kid: string }> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true, modulusLength: rsaBits });
  const privatePem = await exportPKCS8(privateKey);
  const { publicJwk, kid } = await publicHalf(createPrivateKey(privatePem), alg);
  return { privatePem, publicJwk, kid };
}

/**
 * @param pem an unencrypted private key: PKCS #8, PKCS #1 or SEC1
 * @throws SigningKeyRefused if it cannot be read, is of another kind than the algorithm needs, or is RSA below 2048 bits
 */
export async function importPrivate(pem: string, alg: SigningAlg): Promise<SigningKey> {
  const key = readPem(pem);
  const { publicJwk, kid } = await publicHalf(key, alg);
  return { kid, alg, sign: signers[alg](key), publicJwk };
}

/** The public half of a key that signs elsewhere. */
export interface RemoteKey {
  /** RFC 7638 thumbprint. */
  readonly kid: string;
  /** Ready for a JWKS: with `kid`, `alg` and `use`. */
  readonly publicJwk: JWK;
  /** Whether this is the signature of a JWS over these bytes. */
  readonly verify: (data: Buffer, signature: Buffer) => boolean;
}

/**
 * @param given a public key as PEM (SPKI) or as a JWK
 * @throws SigningKeyRefused as `importPrivate`
 */
export async function importRemote(given: string | JWK, alg: SigningAlg): Promise<RemoteKey> {
  const key = readPublic(given);
  const check = verifiers[alg];
  return { ...(await publicHalf(key, alg)), verify: (data, signature) => check(key, data, signature) };
}

const signOnAnotherThread = promisify(sign);

/** RFC 7518 §3.3, §3.4; RFC 8037 §3.1. On a curve a signature is made sooner than another thread would begin with it. */
const signers: Readonly<Record<SigningAlg, (key: KeyObject) => SigningKey['sign']>> = {
  ES256: (key) => (data) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  EdDSA: (key) => (data) => sign(null, data, key),
  RS256: (key) => (data) => signOnAnotherThread('sha256', data, key),
};

const verifiers: Readonly<Record<SigningAlg, (key: KeyObject, data: Buffer, signature: Buffer) => boolean>> = {
  ES256: (key, data, signature) => verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature),
  EdDSA: (key, data, signature) => verify(null, data, key, signature),
  RS256: (key, data, signature) => verify('sha256', data, key, signature),
};

function readPublic(given: string | JWK): KeyObject {
  try {
    return typeof given === 'string'
      ? createPublicKey(given)
      : createPublicKey({ key: given as Record<string, string>, format: 'jwk' });
  } catch {
    throw new SigningKeyRefused('not a public key in PEM or JWK');
  }
}

function readPem(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new SigningKeyRefused('not an unencrypted private key in PEM');
  }
}

async function publicHalf(key: KeyObject, alg: SigningAlg): Promise<{ publicJwk: JWK; kid: string }> {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits !== undefined && bits < rsaBits) throw new SigningKeyRefused(`an RSA key needs at least ${rsaBits} bits`);
  const jwk = jwkOf(key);
  if (jwk === undefined || !fitsAlg(jwk, alg)) throw new SigningKeyRefused(`the key is not one for ${alg}`);
  const kid = await calculateJwkThumbprint(jwk);
  return { publicJwk: { ...jwk, kid, alg, use: 'sig' }, kid };
}

/** Undefined for kinds that have no JWK form in Node (RSA-PSS, DSA, other curves); none of our algorithms takes them. */
function jwkOf(key: KeyObject): JWK | undefined {
  try {
    return (key.type === 'public' ? key : createPublicKey(key)).export({ format: 'jwk' }) as JWK;
  } catch {
    return undefined;
  }
}
