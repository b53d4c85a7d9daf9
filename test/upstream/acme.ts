import { randomUUID } from 'node:crypto';
import type { Provider } from '../../src/broker/provider.js';
import type { MisbehavingProxy } from './misbehaving-proxy.js';
import type { Upstream, UpstreamClient } from './upstream.js';

/** The upstream as a provider whose requests go through the proxy; its secret is the variable CONNECTOR_ACME_SECRET. */
export function acme(upstream: Upstream, proxy: MisbehavingProxy, client: UpstreamClient, config: object): Provider {
  const configData = {
    client_id: client.clientId,
    client_secret_ref: 'CONNECTOR_ACME_SECRET',
    authorize_url: `${upstream.origin}/auth`,
    token_url: `${proxy.origin}/token`,
    revocation_url: `${proxy.origin}/token/revocation`,
    issuer: upstream.origin,
    account_url: `${proxy.origin}/api/me`,
    account_member: 'login',
    extra_auth_params: { prompt: 'consent' },
    ...config,
  };
  const now = new Date();
  const id = randomUUID();
  return {
    id,
    slug: 'acme',
    displayName: '',
    protocol: 'oauth',
    configData: JSON.stringify(configData),
    createdAt: now,
    updatedAt: now,
  };
}
