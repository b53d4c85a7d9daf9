import { OAuthError, type Form } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { isMint, type MintResource, type ResourceSnapshot } from '../resources/resource.js';
import { requireMint } from '../resources/resources.js';

/**
 * The one resource that an authorization was given for. A request may repeat it, and may leave it out (W12); it may not name another.
 *
 * @throws OAuthError `invalid_target` (RFC 8707 §2.2); nothing is spent
 */
export function grantedResource(
  form: Form,
  resources: ResourceSnapshot,
  grantedId: string,
  client: Client,
): MintResource {
  const granted = resources.byId(grantedId);
  const requested = form.get('resource');
  const named = requested === undefined ? granted : requireMint(resources, requested);
  if (!isMint(granted) || named?.id !== granted.id) {
    throw new OAuthError('resource-not-granted', 'resource_not_granted', {
      facts: { clientId: client.id, expected: granted?.uri, received: requested },
    });
  }
  return granted;
}
