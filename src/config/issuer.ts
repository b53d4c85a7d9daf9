const localHosts: readonly string[] = ['localhost', '127.0.0.1', '[::1]'];

/** True iff the host is exactly localhost, 127.0.0.1 or [::1]: that is what "localhost" means everywhere (P14). */
export function isLocalIssuer(issuer: string): boolean {
  return URL.canParse(issuer) && localHosts.includes(new URL(issuer).hostname);
}

/**
 * RFC 8414 §2 and P14: https (http on localhost), no query, fragment, userinfo or trailing slash, and spelled as a URL parser
 * would spell it, because clients compare it byte for byte.
 *
 * @returns what is wrong with it, or undefined
 */
export function issuerProblem(issuer: string): string | undefined {
  if (!URL.canParse(issuer)) return 'must be an absolute URL such as https://auth.example.com';
  const url = new URL(issuer);
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return 'must be an https URL';
  if (url.protocol === 'http:' && !isLocalIssuer(issuer)) {
    return 'must be https: plain http is allowed only on localhost, 127.0.0.1 and [::1]';
  }
  if (url.username || url.password || issuer.includes('@')) return 'must not contain a user name or password';
  if (issuer.includes('?')) return 'must not contain a query';
  if (issuer.includes('#')) return 'must not contain a fragment';
  if (issuer.endsWith('/')) return 'must not end with a slash';
  const spelled = url.pathname === '/' ? url.origin : url.href;
  return issuer === spelled ? undefined : `must be spelled ${spelled}`;
}
