import { usesSecret } from '#libs/oauth';
import type { Client, ClientMetadata } from './client.js';
import { readClientMetadata, type MetadataRules, type WireMetadata } from './client-metadata.js';
import { metadataRefused } from './metadata-refused.js';

/**
 * A client that says something else of itself (RFC 7592 §2.2). It cannot come to prove who it is in a weaker way (none, a secret
 * and a key are three classes, and it stays in its own), nor get grants or do without proofs: an operator may have decided that.
 *
 * @param members by wire name, unchecked: all that it says from now on
 * @throws OAuthError `client-metadata-refused`, `redirect-refused`
 */
export function replacedBy(members: WireMetadata, client: Client, rules: MetadataRules): Client {
  const said = readClientMetadata(
    {
      ...members,
      token_endpoint_auth_method: members.token_endpoint_auth_method ?? client.tokenEndpointAuthMethod,
      grant_types: members.grant_types ?? client.grantTypes,
      dpop_bound_access_tokens: members.dpop_bound_access_tokens ?? client.dpopBoundAccessTokens,
    },
    { ...rules, allowedGrants: client.grantTypes },
  );
  if (classOf(said) !== classOf(client))
    throw metadataRefused('token_endpoint_auth_method must stay: register another client for another one');
  if (client.dpopBoundAccessTokens && !said.dpopBoundAccessTokens)
    throw metadataRefused('dpop_bound_access_tokens must stay: register another client to do without');
  const vouchedFor =
    said.agent === client.agent && said.name === client.name && said.agentDescription === client.agentDescription;
  return { ...client, ...said, agentConfirmed: client.agentConfirmed && vouchedFor };
}

function classOf({ tokenEndpointAuthMethod: method }: ClientMetadata): string {
  return usesSecret(method) ? 'secret' : method;
}
