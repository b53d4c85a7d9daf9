import { formatScope } from '#libs/oauth';
import type { Client } from './client.js';
import { toKeyMembers } from './key-metadata.js';

/** What only the answer to the registration knows, or the request that is answered. */
export interface RegistrationSecrets {
  readonly secret?: string;
  readonly registrationToken?: string;
}

/** What is registered, which may be other than what was asked for (RFC 7591 §3.2.1). Secrets do not expire by themselves. */
export function toRegistered(
  client: Client,
  { secret, registrationToken }: RegistrationSecrets,
  issuer: string,
): object {
  return {
    client_id: client.id,
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    ...(registrationToken === undefined
      ? {}
      : {
          registration_access_token: registrationToken,
          registration_client_uri: `${issuer}/oauth/register/${client.id}`,
        }),
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.responseTypes,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    ...toKeyMembers(client),
    application_type: client.applicationType,
    ...(client.scope.length === 0 ? {} : { scope: formatScope(client.scope) }),
    agent: client.agent,
    agent_description: client.agentDescription,
    ...(client.dpopBoundAccessTokens ? { dpop_bound_access_tokens: true } : {}),
  };
}
