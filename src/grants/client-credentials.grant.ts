import { Injectable } from '@nestjs/common';
import { grantType, OAuthError, parseScope, type Form } from '#libs/oauth';
import type { Client } from '../clients/client.js';
import { Config } from '../config/config.js';
import type { MintResource, ResourceSnapshot } from '../resources/resource.js';
import { requireMint } from '../resources/resources.js';
import type { Authorization } from '../tokens/authorization.js';
import { Grant } from './grant.js';

/** RFC 6749 §4.4: a token about the client itself. No person is asked, so that its own scope bounds it, and never nothing (W39). */
@Injectable()
export class ClientCredentialsGrant extends Grant {
  readonly type = grantType.clientCredentials;
  override readonly switchedBy: { setting: string; on: boolean };

  constructor(config: Config) {
    super();
    this.switchedBy = { setting: 'client_credentials.enabled', on: config.clientCredentials.enabled };
  }

  async authorize(form: Form, client: Client, resources: ResourceSnapshot): Promise<Authorization> {
    const facts = { clientId: client.id };
    if (client.tokenEndpointAuthMethod === 'none') {
      throw new OAuthError('client-authentication-failed', 'credentials_missing', { facts });
    }
    if (client.scope.length === 0) throw new OAuthError('ceiling-missing', 'ceiling_empty', { facts });
    const uri = form.get('resource');
    const resource = uri === undefined ? undefined : requireMint(resources, uri);
    const scopes = scopesOf(form.get('scope'), client, resource);
    return { grantType: this.type, client, resource, policyEpoch: resources.epoch, scopes };
  }
}

/** What is asked for must be within the ceiling and, where a resource is named, declared by it; nothing asked for means all of that. */
function scopesOf(requested: string | undefined, client: Client, resource: MintResource | undefined): string[] {
  const declared = resource?.scopes.map(({ name }) => name);
  const facts = { clientId: client.id, resource: resource?.uri };
  if (requested === undefined) {
    const scopes = client.scope.filter((scope) => declared?.includes(scope) ?? true);
    if (scopes.length > 0) return scopes;
    throw new OAuthError('scope-empty', 'scope_nothing_left', { facts });
  }
  const scopes = parseScope(requested).filter((scope) => scope !== 'offline_access');
  if (scopes.length === 0) return scopesOf(undefined, client, resource);
  for (const scope of scopes) {
    const options = { fill: { scope, resource: resource?.uri ?? '' }, facts };
    if (declared && !declared.includes(scope)) throw new OAuthError('scope-unknown', 'scope_not_in_catalog', options);
    if (!client.scope.includes(scope)) throw new OAuthError('scope-above-ceiling', 'scope_above_ceiling', options);
  }
  return scopes;
}
