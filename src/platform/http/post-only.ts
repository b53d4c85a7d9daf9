import { OAuthError } from '#libs/oauth';

/** The answer to every other method at an endpoint that takes POST. RFC 9110 §15.5.6 */
export function postOnly(): never {
  throw new OAuthError('method-not-allowed', 'method_not_allowed', {
    fill: { allowed: 'POST' },
    headers: { Allow: 'POST' },
  });
}
