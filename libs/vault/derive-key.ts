import { hkdfSync } from 'node:crypto';

/**
 * A 32-byte key for one purpose, by HKDF-SHA256 (RFC 5869). Keys of different purposes tell nothing about each other.
 *
 * @param root secret with enough entropy; not a password
 * @throws RangeError for an empty root or purpose
 */
export function deriveKey(root: string | Buffer, purpose: string): Buffer {
  if (root.length === 0 || purpose === '') throw new RangeError('a key needs a root and a purpose');
  return Buffer.from(hkdfSync('sha256', root, '', `authplane/v1/${purpose}`, 32));
}
