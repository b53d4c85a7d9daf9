import { createHash, createHmac } from 'node:crypto';
import { sameBytes } from '#libs/oauth';

/** A client's secret as stored: a hash, and which pepper made it. */
export interface StoredSecret {
  readonly id: string;
  readonly secretHash: Buffer;
  /** Names the pepper of an HMAC; null: plain SHA-256, which is enough for 256 random bits (P10). */
  readonly pepperId: string | null;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
}

/** Two active secrets, and the one before them. */
export const MAX_KEPT_SECRETS = 3;

export type SecretVerdict = 'right' | 'secret_expired' | 'pepper_changed' | 'secret_mismatch';

/** @param pepper `client_secret_pepper`; '' when there is none */
export function hashSecret(secret: string, pepper: string): Pick<StoredSecret, 'secretHash' | 'pepperId'> {
  return pepper === ''
    ? { secretHash: plainHash(secret), pepperId: null }
    : { secretHash: pepperedHash(secret, pepper), pepperId: pepperIdOf(pepper) };
}

/**
 * Compares what a client presents with what is stored for it. The work is the same whether the client exists, has one secret
 * or three, and whichever of them matches: time tells a stranger nothing.
 */
export function judgeSecret(
  presented: string,
  stored: readonly StoredSecret[],
  pepper: string,
  now: Date,
): SecretVerdict {
  const plain = plainHash(presented);
  const peppered = pepperedHash(presented, pepper);
  const pepperId = pepperIdOf(pepper);
  const found = { right: false, expired: false, otherPepper: false };
  for (let slot = 0; slot < MAX_KEPT_SECRETS; slot++) {
    const secret = stored[slot] ?? NOBODYS_SECRET;
    const same = sameBytes(secret.pepperId === null ? plain : peppered, secret.secretHash);
    const ended = secret.expiresAt !== null && secret.expiresAt <= now;
    const comparable = secret.pepperId === null || (pepper !== '' && secret.pepperId === pepperId);
    found.right ||= same && comparable && !ended;
    found.expired ||= same && comparable && ended;
    found.otherPepper ||= !comparable && !ended;
  }
  if (found.right) return 'right';
  if (found.expired) return 'secret_expired';
  return found.otherPepper ? 'pepper_changed' : 'secret_mismatch';
}

/** Ended before it began, so that not even its preimage would be right. */
const NOBODYS_SECRET: StoredSecret = {
  id: '',
  secretHash: Buffer.alloc(32),
  pepperId: null,
  createdAt: new Date(0),
  expiresAt: new Date(0),
};

const plainHash = (secret: string): Buffer => createHash('sha256').update(secret).digest();
const pepperedHash = (secret: string, pepper: string): Buffer => createHmac('sha256', pepper).update(secret).digest();
const pepperIdOf = (pepper: string): string => createHash('sha256').update(pepper).digest('hex').slice(0, 8);
