import CachePolicy from 'http-cache-semantics';

/**
 * How long a 200 answer stays fresh, in seconds, as a cache that serves everybody reads its headers (RFC 9111 §4.2); undefined
 * when it must not be stored at all (§3).
 */
export function freshSeconds(headers: Readonly<Record<string, string>>): number | undefined {
  const policy = new CachePolicy({ method: 'GET', headers: {} }, { status: 200, headers: { ...headers } });
  return policy.storable() ? policy.timeToLive() / 1000 : undefined;
}
