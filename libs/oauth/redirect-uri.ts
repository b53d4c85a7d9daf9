import type { ApplicationType } from './words.js';

export interface RedirectRules {
  /** Private-use schemes an operator has listed, lower case, without colon. */
  readonly allowedSchemes: readonly string[];
  readonly applicationType: ApplicationType;
}

export interface RedirectProblem {
  /** One sentence for the public description. */
  readonly problem: string;
  readonly reason: 'redirect_invalid' | 'scheme_not_allowed';
}

const maxLength = 2048;
const loopbackHosts: ReadonlySet<string> = new Set(['localhost', '127.0.0.1', '[::1]']);

/** Schemes that run code, read local data, or mean something of their own to a browser. Never, even when listed. */
const dangerousSchemes: ReadonlySet<string> = new Set([
  'about',
  'blob',
  'chrome',
  'content',
  'data',
  'file',
  'filesystem',
  'ftp',
  'intent',
  'jar',
  'javascript',
  'mailto',
  'mhtml',
  'ms-msdt',
  'search-ms',
  'sms',
  'tel',
  'vbscript',
  'view-source',
  'ws',
  'wss',
]);

/**
 * Where a redirect URI leads: to a web host, to this computer (http, or https on a loopback host), or to whichever app has
 * claimed a private-use scheme (RFC 8252 §7). Undefined for what may never be a redirect URI.
 */
export function redirectKind(uri: string): 'https' | 'loopback' | 'private-use' | undefined {
  const url = unambiguous(uri);
  if (typeof url === 'string') return undefined;
  const scheme = url.protocol.slice(0, -1);
  if (scheme === 'http' || scheme === 'https') {
    if (loopbackHosts.has(url.hostname)) return 'loopback';
    return scheme === 'https' ? 'https' : undefined;
  }
  return dangerousSchemes.has(scheme) ? undefined : 'private-use';
}

/** What keeps a URI from being registered, or undefined if nothing does. */
export function redirectUriProblem(uri: string, rules: RedirectRules): RedirectProblem | undefined {
  const url = unambiguous(uri);
  if (typeof url === 'string') return invalid(url);
  const scheme = url.protocol.slice(0, -1);
  const kind = redirectKind(uri);
  if (kind === undefined) {
    if (scheme === 'http') return invalid('http is only for localhost, 127.0.0.1 and [::1]; use https');
    return invalid(`scheme ${scheme.slice(0, 64)} is never allowed in a redirect URI`);
  }
  if (kind !== 'private-use') return undefined;
  if (rules.applicationType === 'web') {
    return invalid('clients of application_type web need https, or http on localhost, 127.0.0.1 or [::1]');
  }
  if (rules.allowedSchemes.includes(scheme)) return undefined;
  return {
    problem: `scheme ${scheme.slice(0, 64)} is not listed in oauth.allowed_redirect_schemes`,
    reason: 'scheme_not_allowed',
  };
}

/**
 * Whether a presented redirect URI is the registered one: the same bytes (RFC 9700 §2.1), except that any port may stand in
 * an http URI of the same loopback host (RFC 8252 §7.3).
 */
export function matchesRedirectUri(registered: string, presented: string): boolean {
  if (registered === presented) return true;
  const known = withoutLoopbackPort(registered);
  return known !== undefined && known === withoutLoopbackPort(presented);
}

/** The host a person is about to be sent to: ASCII, without userinfo and port. A private-use URI shows its scheme too. */
export function redirectHost(uri: string): string {
  if (!URL.canParse(uri)) return '';
  const url = new URL(uri);
  if (url.protocol === 'https:' || url.protocol === 'http:') return url.hostname;
  return url.hostname === '' ? url.protocol : `${url.protocol}//${url.hostname}`;
}

/** An http loopback URI with its port taken out; undefined for any other. */
function withoutLoopbackPort(uri: string): string | undefined {
  const [, before, port, after] =
    /^(http:\/\/(?:localhost|127\.0\.0\.1|\[::1\]))(?::([1-9]\d{0,4}))?([/?].*)?$/.exec(uri) ?? [];
  if (before === undefined || Number(port ?? 0) > 65_535) return undefined;
  const portless = before + (after ?? '');
  return typeof unambiguous(portless) === 'string' ? undefined : portless;
}

/**
 * The parsed URI, or a sentence about what is wrong with it.
 *
 * A browser, a proxy and this server must all read the same destination, so the text must be what a WHATWG parser writes
 * for it: that parser drops tabs and newlines, turns `\` into `/`, decodes hosts, and resolves dots, where others do not.
 */
function unambiguous(uri: string): URL | string {
  if (uri.length > maxLength) return `a redirect URI has at most ${maxLength} characters`;
  if (uri.includes('#')) return 'a redirect URI has no fragment';
  if (!/^(?:[\w\-.~:/?[\]@!$&'()*+,;=]|%[0-9a-f]{2})+$/i.test(uri)) {
    return 'a redirect URI has only the ASCII characters of RFC 3986, others percent-encoded';
  }
  if (!hasCleanEscapes(uri)) return 'percent-encoding in a redirect URI must be UTF-8 without control characters';
  if (!URL.canParse(uri)) return 'a redirect URI is an absolute URI';
  const url = new URL(uri);
  if (url.username !== '' || url.password !== '') return 'a redirect URI has no user name or password';
  const written = uri.replace(/^(https?:\/\/[^/?]+)(?=\?|$)/, '$1/');
  if (url.href !== written) {
    return 'a redirect URI is written in its normal form: lower-case scheme and host, no default port, no dot segments';
  }
  if (/^https?:/.test(uri) && !/^(?:[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?|\[[0-9a-f:]+\])$/.test(url.hostname)) {
    return 'the host of a redirect URI has letters, digits, dots and hyphens only';
  }
  return url;
}

function hasCleanEscapes(uri: string): boolean {
  try {
    return !/\p{Cc}/u.test(decodeURIComponent(uri));
  } catch {
    return false;
  }
}

function invalid(problem: string): RedirectProblem {
  return { problem, reason: 'redirect_invalid' };
}
