import { sha256 } from './bearer-value.js';

/** RFC 7636 §4.1 */
export function isCodeVerifier(text: string): boolean {
  return /^[A-Za-z0-9\-._~]{43,128}$/.test(text);
}

/** The form of an S256 challenge (RFC 7636 §4.2): base64url of 32 bytes. */
export function isCodeChallenge(text: string): boolean {
  return /^[A-Za-z0-9_-]{43}$/.test(text);
}

/** `code_challenge_method=S256` of RFC 7636 §4.2. */
export function challengeOf(verifier: string): string {
  return sha256(verifier).toString('base64url');
}
