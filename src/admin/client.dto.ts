import { IsBoolean, IsIn, IsObject, MinLength } from 'class-validator';
import { clientSigningAlgs } from '#libs/jwt';
import { authMethods } from '#libs/oauth';
import type { Client, ClientFacts } from '../clients/clients.js';
import { toKeyMembers } from '../clients/key-metadata.js';
import { PageQuery } from './list.dto.js';
import { IsSeconds, IsText, IsTextList, MayBeAbsent, MayBeNull } from './member-checks.js';

const day = 24 * 60 * 60;

/** What an operator may say about a client at any time. */
class ClientSettings {
  @MayBeAbsent()
  @IsTextList(50, 2048)
  redirect_uris?: string[];

  @MayBeAbsent()
  @IsTextList(20, 100)
  grant_types?: string[];

  /** Whether it gets no token without a proof (RFC 9449 §5.2). */
  @MayBeAbsent()
  @IsBoolean()
  dpop_bound_access_tokens?: boolean;

  /** The public keys of a client with private_key_jwt. */
  @MayBeAbsent()
  @IsObject()
  jwks?: object;

  /** Where they are, in place of `jwks`. */
  @MayBeAbsent()
  @IsText(2048)
  jwks_uri?: string;

  /** null: whatever the keys can verify. */
  @MayBeNull()
  @IsIn(clientSigningAlgs)
  token_endpoint_auth_signing_alg?: string | null;

  /** The ceiling: the most the client may ask for, separated by spaces; empty: none of its own. */
  @MayBeAbsent()
  @IsText(4096)
  scope?: string;

  /** The resource meant when a request names none. */
  @MayBeNull()
  @IsText(2048)
  default_resource?: string | null;

  /** Seconds; null: the server's default. */
  @MayBeNull()
  @IsSeconds(day)
  access_token_ttl?: number | null;

  /** Seconds that a refresh token may lie unused; null: the server's default. */
  @MayBeNull()
  @IsSeconds(365 * day)
  refresh_token_ttl?: number | null;

  /** Seconds until a family ends whatever happens; null: the server's default. */
  @MayBeNull()
  @IsSeconds(365 * day)
  refresh_max_lifetime?: number | null;
}

export class CreateClient extends ClientSettings {
  @IsText(200)
  @MinLength(1)
  client_name: string;

  @MayBeAbsent()
  @IsTextList(10, 100)
  response_types?: string[];

  @MayBeAbsent()
  @IsIn(authMethods)
  token_endpoint_auth_method?: string;

  @MayBeAbsent()
  @IsIn(['web', 'native'])
  application_type?: string;

  @MayBeAbsent()
  @IsBoolean()
  agent?: boolean;

  @MayBeAbsent()
  @IsText(255)
  agent_description?: string;
}

export class UpdateClient extends ClientSettings {
  @MayBeAbsent()
  @IsText(200)
  @MinLength(1)
  client_name?: string;

  /** An operator vouches that the client is the agent it says it is. */
  @MayBeAbsent()
  @IsBoolean()
  agent_confirmed?: boolean;
}

export class RotateSecret {
  /** How long the former secret still works, as `24h`; `0`: not at all. */
  @MayBeAbsent()
  @IsText(40)
  overlap?: string;
}

export class ListClients extends PageQuery {
  @MayBeAbsent()
  @IsIn(['admin', 'dcr', 'cimd'])
  source?: 'admin' | 'dcr' | 'cimd';

  @MayBeAbsent()
  @IsIn(['active', 'suspended', 'revoked'])
  status?: 'active' | 'suspended' | 'revoked';
}

/** The part of a request that is the operator's decision rather than the client's description. */
export function toFacts(dto: ClientSettings & { readonly agent_confirmed?: boolean }): ClientFacts {
  return {
    scope: dto.scope?.split(' ').filter(Boolean),
    agentConfirmed: dto.agent_confirmed,
    defaultResource: dto.default_resource,
    accessTokenTtlSeconds: dto.access_token_ttl,
    refreshTokenTtlSeconds: dto.refresh_token_ttl,
    refreshMaxLifetimeSeconds: dto.refresh_max_lifetime,
  };
}

/** A client as operators read it. Secrets are not among what is read here. */
export const toClientView = (client: Client) => ({
  id: client.id,
  name: client.name,
  redirect_uris: client.redirectUris,
  grant_types: client.grantTypes,
  response_types: client.responseTypes,
  token_endpoint_auth_method: client.tokenEndpointAuthMethod,
  ...toKeyMembers(client),
  scope: client.scope.join(' '),
  status: client.status,
  registration_source: client.registrationSource,
  application_type: client.applicationType,
  agent: client.agent,
  agent_description: client.agentDescription,
  agent_confirmed: client.agentConfirmed,
  dpop_bound_access_tokens: client.dpopBoundAccessTokens,
  default_resource: client.defaultResource,
  access_token_ttl: client.accessTokenTtlSeconds,
  refresh_token_ttl: client.refreshTokenTtlSeconds,
  refresh_max_lifetime: client.refreshMaxLifetimeSeconds,
  cimd_url: client.registrationSource === 'cimd' ? client.id : undefined,
  issued_at: client.createdAt.toISOString(),
  updated_at: client.updatedAt.toISOString(),
});

/** The answer to a registration, the only one with a secret in it; its members are named as in RFC 7591 §3.2.1. */
export function toCreatedView(client: Client, secret: string | undefined) {
  const { id, name, updated_at: _, cimd_url: __, ...view } = toClientView(client);
  return { client_id: id, client_secret: secret, client_name: name, ...view };
}
