import { OAuthError } from './errors.js';

/** Parameters by name. None occurs twice, and none is empty: an empty value counts as absent (RFC 6749 §3.1, §3.2). */
export type Form = ReadonlyMap<string, string>;

const maxParameters = 64;
const maxBytes = 4 * 1024;
const maxTokenBytes = 16 * 1024;
const tokenParameters: ReadonlySet<string> = new Set([
  'code',
  'refresh_token',
  'token',
  'subject_token',
  'actor_token',
  'assertion',
  'client_assertion',
  'logout_token',
  'request',
]);

const unspeakable = /[\p{Cc}\p{Cs}]/u;

/**
 * Whether a text is free of control characters and lone surrogates: PostgreSQL cannot store some of them, and lone surrogates that
 * differ are the same bytes once they are hashed or sent.
 */
export const isPlainText = (text: string): boolean => !unspeakable.test(text);

/**
 * Reads an `application/x-www-form-urlencoded` body or a raw query string (without the `?`).
 *
 * Strict where URLSearchParams is lenient: that one keeps broken percent-encoding and replaces invalid UTF-8 silently, so
 * two servers could read two values from the same bytes. Unknown parameters are kept, for the caller to ignore.
 *
 * @throws OAuthError `parameter-repeated` (`resource-repeated` for `resource`, RFC 8707) or `parameter-malformed`.
 */
export function parseForm(text: string): Form {
  const seen = new Set<string>();
  const form = new Map<string, string>();
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = decode(equals < 0 ? pair : pair.slice(0, equals), maxBytes);
    if (name === undefined) throw malformed('a parameter name');
    if (seen.has(name)) throw repeated(name);
    if (seen.size === maxParameters) throw malformed('the parameter list');
    seen.add(name);

    const value =
      equals < 0 ? '' : decode(pair.slice(equals + 1), tokenParameters.has(name) ? maxTokenBytes : maxBytes);
    if (value === undefined) throw malformed(printable(name));
    if (value !== '') form.set(name, value);
  }
  return form;
}

/** @throws OAuthError `parameter-missing` */
export function required(form: Form, name: string): string {
  const value = form.get(name);
  if (value === undefined)
    throw new OAuthError('parameter-missing', 'parameter_missing', { fill: { parameter: name } });
  return value;
}

/** A caller's own name for something, if it is safe to say back; errors must not carry text of a stranger's choice. */
export function printable(name: string, otherwise = 'a parameter'): string {
  return /^[A-Za-z0-9_.-]{1,64}$/.test(name) ? name : otherwise;
}

function decode(encoded: string, limit: number): string | undefined {
  const value = percentDecoded(encoded.replaceAll('+', ' '));
  if (value === undefined || !isPlainText(value) || Buffer.byteLength(value) > limit) return undefined;
  return value;
}

/** decodeURIComponent is strict: it refuses a broken escape, overlong UTF-8, encoded surrogates. */
function percentDecoded(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined;
  }
}

function malformed(parameter: string): OAuthError<'parameter-malformed'> {
  return new OAuthError('parameter-malformed', 'parameter_malformed', { fill: { parameter } });
}

function repeated(name: string): OAuthError<'resource-repeated'> | OAuthError<'parameter-repeated'> {
  if (name === 'resource') return new OAuthError('resource-repeated', 'resource_repeated');
  return new OAuthError('parameter-repeated', 'parameter_repeated', { fill: { parameter: printable(name) } });
}
