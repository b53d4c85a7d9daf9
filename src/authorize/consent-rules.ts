import { matchesRedirectUri, redirectKind } from '#libs/oauth';
import type { Consent } from '../consents/consent.js';
import type { AuthorizationRequest } from './authorization-request.js';

/**
 * Whether the person must see the consent page although `consent` is in force (W17). A client that was taken over, or that anybody on
 * the machine can pretend to be, must not receive codes in silence.
 */
export function needsToAsk(request: AuthorizationRequest, consent: Consent): boolean {
  const { client, redirectUri } = request;
  return (
    request.prompt.includes('consent') ||
    client.registrationSource === 'dcr' ||
    (client.tokenEndpointAuthMethod === 'none' && redirectKind(redirectUri) !== 'https') ||
    consent.createdAt < client.securityChangedAt ||
    !request.scopes.every(({ name }) => consent.scopes.includes(name)) ||
    !consent.redirectUris.some((seen) => matchesRedirectUri(seen, redirectUri))
  );
}
