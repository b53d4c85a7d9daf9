import { fromBase64Url, isPlainText, parseJson } from '#libs/oauth';

const maxTextBytes = 256;

/**
 * Header and payload of a JWS in compact form, if both are JSON objects. Nothing is verified yet.
 *
 * Strict in base64url, UTF-8 and JSON: with a member twice, jose and another reader could see two different tokens.
 *
 * @returns undefined for anything else, and for what is longer than `maxLength` characters
 */
export function readJws(
  jws: string,
  maxLength: number,
): { header: Record<string, unknown>; payload: Record<string, unknown> } | undefined {
  const [first, second, signature, ...more] = jws.length > maxLength ? [] : jws.split('.').map(fromBase64Url);
  const header = readObject(first);
  const payload = readObject(second);
  if (!header || !payload || !signature || more.length > 0) return undefined;
  return { header, payload };
}

function readObject(bytes: Buffer | undefined): Record<string, unknown> | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    const value = parseJson(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? { ...value } : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a claim is a text that identifies something, such as a `jti`: plain, and of 1 to 256 bytes. */
export const isShortText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && isPlainText(value) && Buffer.byteLength(value) <= maxTextBytes;
