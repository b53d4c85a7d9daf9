const maxLength = 2048;

/** scheme ":" and characters of RFC 3986, without "#"; a percent sign only as an escape. */
const absoluteUri = /^[a-z][a-z0-9+.-]*:(?:[\w\-.~:/?[\]@!$&'()*+,;=]|%[0-9a-f]{2})+$/i;
const authority = /^([a-z][a-z0-9+.-]*):\/\/([^/?]*)/i;

/**
 * Whether a text may be a resource identifier (RFC 8707 §2): an absolute URI without fragment. Userinfo is refused as well,
 * and with `//` there must be a host.
 */
export function isResourceUri(uri: string): boolean {
  if (uri.length > maxLength || !absoluteUri.test(uri)) return false;
  const [, scheme, host] = authority.exec(uri) ?? [];
  if (scheme === undefined || host === undefined) return !/^https?:/i.test(uri);
  return host !== '' && !host.includes('@') && URL.canParse(`${scheme}://${host}`);
}

/**
 * The form under which a resource is found and unique: its bytes, except that `scheme://authority/` is written without the
 * slash. Nothing else is equivalent. Undefined if it is no resource URI.
 */
export function normalResource(uri: string): string | undefined {
  if (!isResourceUri(uri)) return undefined;
  return /^[^/?]+:\/\/[^/?]+\/$/.test(uri) ? uri.slice(0, -1) : uri;
}

/**
 * Whether somebody who sent `presented` most likely meant `registered`: they differ only by case, default port,
 * percent-encoding or a trailing slash, or by one edit. For hints only, never for a decision.
 */
export function isNearMiss(registered: string, presented: string): boolean {
  if (registered === presented || registered.length > maxLength || presented.length > maxLength) return false;
  return folded(registered) === folded(presented) || isOneEdit(registered, presented);
}

function folded(uri: string): string {
  return uri
    .replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => Buffer.from(escapes.replaceAll('%', ''), 'hex').toString())
    .toLowerCase()
    .replace(/^(https:\/\/[^/?#]*):443(?=[/?#]|$)/, '$1')
    .replace(/^(http:\/\/[^/?#]*):80(?=[/?#]|$)/, '$1')
    .replace(/\/$/, '');
}

/** Levenshtein distance 1: what is left between the common beginning and the common end is at most one character each. */
function isOneEdit(a: string, b: string): boolean {
  const shorter = Math.min(a.length, b.length);
  let start = 0;
  while (start < shorter && a[start] === b[start]) start++;
  let end = 0;
  while (end < shorter - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  return Math.max(a.length, b.length) - start - end === 1;
}
