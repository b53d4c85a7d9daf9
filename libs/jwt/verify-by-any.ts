import { compactVerify, type JWK } from 'jose';

/**
 * Verifies a signature by whichever of several keys made it: without a `kid` in the header, or in the keys, more than one may fit.
 *
 * @param alg decided by the caller; what a key says of its own is not looked at
 * @throws what the last key said when none made it
 */
export async function verifyByAny(jws: string, keys: readonly JWK[], alg: string): Promise<void> {
  let cause: unknown = new Error('there is no key');
  for (const { alg: _, ...key } of keys) {
    try {
      await compactVerify(jws, key, { algorithms: [alg] });
      return;
    } catch (error) {
      cause = error;
    }
  }
  throw cause;
}
