/**
 * The bytes of an unpadded base64url text (RFC 4648 §5), or undefined unless it is the one spelling of them.
 *
 * Buffer's own decoder also takes padding, the other alphabet, stray characters and unused bits in the last character; then
 * two texts would stand for one secret.
 */
export function fromBase64Url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
