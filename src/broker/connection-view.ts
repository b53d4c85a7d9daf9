import type { Connection, ConnectionStatus } from './connection.js';

/** A connection as people and operators are told of it: without anything sealed. */
export interface ConnectionView extends Omit<Connection, 'sealedCredential' | 'sealedAccessToken'> {
  readonly providerSlug: string;
  readonly providerLabel: string;
  /** The name of the agent that used it last. */
  readonly lastUsedAgent?: string;
  /** Of an agent that an operator confirmed as one. */
  readonly lastUsedAgentId?: string;
  /** The name of the MCP server through which it did. */
  readonly lastUsedServer?: string;
}

/** What one MCP server may have of a connection. */
export interface OwnConsent {
  readonly id: string;
  readonly resourceName: string;
  readonly resourceUri?: string;
  /** What the person allowed. */
  readonly allowedScopes: readonly string[];
  readonly createdAt: Date;
}

/** A connection as it is stored for its owner to see. */
export interface StoredConnection extends ConnectionView {
  /** The URI of a resource of this provider, for connecting again. */
  readonly resourceUri?: string;
  /** Which MCP servers may have what of it. */
  readonly consents: readonly OwnConsent[];
}

/** A connection as its owner sees it. */
export interface OwnConnection extends StoredConnection {
  /** `scopes`: what the server's tokens are good for; more than was allowed where upstream cannot narrow them (W45). */
  readonly consents: readonly (OwnConsent & { readonly scopes: readonly string[] })[];
}

export interface ConnectionQuery {
  readonly userId?: string;
  /** Slug or id. */
  readonly provider?: string;
  readonly status?: ConnectionStatus;
  readonly limit: number;
  readonly offset?: number;
  /** The id of the last connection of the page before. */
  readonly cursor?: string;
}
