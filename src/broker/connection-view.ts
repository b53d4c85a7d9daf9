import type { Connection, ConnectionStatus } from './connection.js';

/** A connection as people and operators are told of it: without anything sealed. */
export interface ConnectionView extends Omit<Connection, 'sealedCredential' | 'sealedAccessToken'> {
  readonly providerSlug: string;
  readonly providerLabel: string;
}

/** A connection as its owner sees it. */
export interface OwnConnection extends ConnectionView {
  /** The name of the agent that used it last. */
  readonly lastUsedBy?: string;
  /** The URI of a resource of this provider, for connecting again. */
  readonly resourceUri?: string;
  /** Which MCP servers may have what of it. */
  readonly consents: readonly {
    readonly id: string;
    readonly resourceName: string;
    readonly resourceUri?: string;
    readonly scopes: readonly string[];
    readonly createdAt: Date;
  }[];
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
