/** What a request of the connect page begins with; one of the consent page has no such beginning. */
export const CONNECT_MARK = 'connect.';

/**
 * Where a person goes on after signing in. It is always a page of ours, which opens the request and refuses what it did not seal;
 * what stands in the request chooses between two of them and nothing else.
 */
export function goalOf(request: string | undefined): '/account' | '/consent' | '/connect' {
  if (request === undefined) return '/account';
  return request.startsWith(CONNECT_MARK) ? '/connect' : '/consent';
}
