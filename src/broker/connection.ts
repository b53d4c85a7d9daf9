/**
 * - `active`: tokens can be had
 * - `reconnect_required`: upstream refused the credential for good; nothing is asked of it any more until the person connects again
 * - `disconnected`: over; the row stays as history, and holds the credential until upstream was told to revoke it
 */
export type ConnectionStatus = 'active' | 'reconnect_required' | 'disconnected';

/** A person's account at a provider. */
export interface Connection {
  readonly id: string;
  readonly userId: string;
  readonly providerId: string;
  /** How the person knows it upstream (a login, an e-mail address); '' when upstream does not say. */
  readonly account: string;
  /** What upstream granted, in upstream's words. */
  readonly scopes: readonly string[];
  readonly status: ConnectionStatus;
  /** Why it is not active. */
  readonly statusReason?: string;
  /** Fencing: moves with every change of the credential or the status, and nothing is stored on an older one. */
  readonly version: number;
  readonly sealedCredential?: string;
  readonly sealedAccessToken?: string;
  readonly accessTokenExpiresAt?: Date;
  readonly createdAt: Date;
  readonly updatedAt: Date;
  readonly endedAt?: Date;
  readonly lastRefreshedAt?: Date;
  readonly lastUsedAt?: Date;
  /** The MCP server that asked for the token. */
  readonly lastUsedClientId?: string;
  /** The agent, at the beginning of the chain. */
  readonly lastUsedOriginClientId?: string;
  /** Since when upstream has not answered as it should; absent: it does. */
  readonly failingSince?: Date;
  readonly lastFailure?: string;
  /** Before this, upstream is not asked again. */
  readonly retryAt?: Date;
  readonly upstreamRevocation?: 'pending' | 'done' | 'given_up';
}

/**
 * What a person allowed one MCP server to have of a connection (W45). Scopes are upstream's words, so that an operator who maps a scope
 * to more of them has to ask again. Never edited: allowing again makes a new one and supersedes the former.
 */
export interface ConnectionConsent {
  readonly id: string;
  readonly userId: string;
  readonly providerId: string;
  /** The Mint resource that stands for the MCP server. */
  readonly sourceResourceId: string;
  readonly scopes: readonly string[];
  readonly createdAt: Date;
  readonly supersededAt?: Date;
  readonly revokedAt?: Date;
}
