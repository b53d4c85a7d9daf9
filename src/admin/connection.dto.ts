import { IsIn, IsUUID } from 'class-validator';
import type { ConnectionView } from '../broker/connection-view.js';
import { UuidPageQuery } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';

const statuses = ['active', 'reconnect_required', 'disconnected'] as const;

export class ListConnections extends UuidPageQuery {
  @MayBeAbsent()
  @IsUUID()
  user_id?: string;

  /** Slug or id. */
  @MayBeAbsent()
  @IsText(63)
  provider?: string;

  @MayBeAbsent()
  @IsIn(statuses)
  status?: (typeof statuses)[number];
}

/** A connection and its health, member by member: nothing sealed is ever read for it. */
export const toConnectionView = (connection: ConnectionView) => ({
  id: connection.id,
  user_id: connection.userId,
  broker_provider_id: connection.providerId,
  provider: connection.providerSlug,
  account: connection.account,
  scopes_granted: connection.scopes,
  version: connection.version,
  status: connection.status,
  status_reason: connection.statusReason,
  created_at: connection.createdAt.toISOString(),
  updated_at: connection.updatedAt.toISOString(),
  revoked_at: connection.endedAt?.toISOString(),
  last_used_at: connection.lastUsedAt?.toISOString(),
  last_used_client_id: connection.lastUsedClientId,
  last_used_server: connection.lastUsedServer,
  last_used_origin_client_id: connection.lastUsedOriginClientId,
  last_used_agent: connection.lastUsedAgent,
  last_used_agent_id: connection.lastUsedAgentId,
  last_refreshed_at: connection.lastRefreshedAt?.toISOString(),
  failing_since: connection.failingSince?.toISOString(),
  last_failure: connection.lastFailure,
  retry_at: connection.retryAt?.toISOString(),
  upstream_revocation: connection.upstreamRevocation,
});
