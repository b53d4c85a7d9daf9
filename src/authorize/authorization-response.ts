import type { OAuthError } from '#libs/oauth';
import { errorUri } from '../platform/http/oauth-error-filter.js';
import type { ReturnAddress } from './authorization-request.js';

/** The redirect back to the client, on success (RFC 6749 §4.1.2); always with `iss` (RFC 9207 §2). */
export const successRedirect = (to: ReturnAddress, code: string, issuer: string): string =>
  redirectTo(to, { code, iss: issuer });

/** The redirect back to the client, on failure (RFC 6749 §4.1.2.1); with `iss` as well. */
export const errorRedirect = (to: ReturnAddress, error: OAuthError, issuer: string): string =>
  redirectTo(to, {
    error: error.code,
    error_description: error.description,
    error_uri: errorUri(issuer, error),
    iss: issuer,
  });

/** Appended to the bytes that were registered: parsing and printing the URI again could change what it means. */
function redirectTo({ redirectUri, state }: ReturnAddress, parameters: Record<string, string>): string {
  const query = new URLSearchParams({ ...parameters, ...(state === undefined ? {} : { state }) });
  return `${redirectUri}${redirectUri.includes('?') ? '&' : '?'}${query.toString()}`;
}
