const maxLength = 2048;
const unreserved = /^[A-Za-z0-9._~-]$/;
/** With an authority, and nobody's name in it; a path may have an `@`. */
const httpUrl = /^https?:\/\/[^/?#@]+(?:[/?#]|$)/i;

/**
 * A URL as `htu` compares it: without query and fragment, after the syntax-based and scheme-based normalization of RFC 3986
 * §6.2.2, §6.2.3 (RFC 9449 §4.3).
 *
 * @returns undefined for what is no http(s) URL in the spelling of RFC 3986: browsers would read other things into it
 */
export function targetUrl(text: string): string | undefined {
  if (text.length > maxLength || /[^\x21-\x7e]|\\/.test(text) || !httpUrl.test(text)) return undefined;
  const bare = text.replace(/[?#].*$/, '');
  if (!URL.canParse(bare)) return undefined;
  const { protocol, host, pathname } = new URL(bare);
  return `${protocol}//${host}${pathname.replace(/%[0-9a-f]{2}/gi, normalEscape)}`;
}

/** §6.2.2.1, §6.2.2.2 */
function normalEscape(escape: string): string {
  const character = String.fromCharCode(Number.parseInt(escape.slice(1), 16));
  return unreserved.test(character) ? character : escape.toUpperCase();
}
