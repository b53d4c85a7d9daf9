import type { OwnConnection } from './connection-view.js';

/** A connection as its owner gets it. Member by member, so that nothing sealed can slip in. */
export const toConnectionDocument = (connection: OwnConnection) => ({
  id: connection.id,
  provider: connection.providerSlug,
  display_name: connection.providerLabel,
  account: connection.account,
  status: connection.status,
  scopes: connection.scopes,
  created_at: connection.createdAt.toISOString(),
  last_used_at: connection.lastUsedAt?.toISOString(),
  last_used_client_id: connection.lastUsedClientId,
  last_used_agent: connection.lastUsedAgent,
  last_used_agent_id: connection.lastUsedAgentId,
  last_used_server: connection.lastUsedServer,
  consents: connection.consents.map(({ id, resourceName, resourceUri, scopes, allowedScopes, createdAt }) => ({
    id,
    resource: resourceUri,
    display_name: resourceName,
    scopes,
    allowed_scopes: allowedScopes,
    created_at: createdAt.toISOString(),
  })),
});
