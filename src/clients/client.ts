import type { ClientSigningAlg, PublicKey } from '#libs/jwt';
import type { ApplicationType, AuthMethod } from '#libs/oauth';

/** Who may ask. A plain value: what the rest of the server knows about a client, without its secrets. */
export interface Client extends ClientKeyMetadata {
  /** A UUID v7, a name an operator chose, or the URL of the client's metadata document. */
  readonly id: string;
  readonly name: string;
  readonly redirectUris: string[];
  readonly grantTypes: string[];
  readonly responseTypes: string[];
  readonly tokenEndpointAuthMethod: AuthMethod;
  /** What the client may ask for at most; empty: no ceiling of its own. */
  readonly scope: string[];
  readonly status: ClientStatus;
  readonly registrationSource: RegistrationSource;
  readonly applicationType: ApplicationType;
  readonly agent: boolean;
  readonly agentDescription: string;
  /** An operator vouches for `agent`; what a client says of itself at registration is only a claim. */
  readonly agentConfirmed: boolean;
  /** Gets no token without a proof (RFC 9449 §5.2). */
  readonly dpopBoundAccessTokens: boolean;
  readonly defaultResource?: string;
  readonly accessTokenTtlSeconds?: number;
  readonly refreshTokenTtlSeconds?: number;
  readonly refreshMaxLifetimeSeconds?: number;
  /** Last change of redirects, keys or authentication method: a consent older than this asks again. */
  readonly securityChangedAt: Date;
  /** Moves with every change; 0 while there is no row. */
  readonly version: number;
  /** False: known only by its metadata document, nobody has consented yet. */
  readonly stored: boolean;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** Of clients that authenticate with private_key_jwt: their public keys, or where these are. */
export interface ClientKeyMetadata {
  readonly keys?: readonly PublicKey[];
  readonly jwksUri?: string;
  /** `token_endpoint_auth_signing_alg`; undefined: what the keys can verify. */
  readonly assertionAlg?: ClientSigningAlg;
}

export type ClientStatus = 'active' | 'suspended' | 'revoked';
export type RegistrationSource = 'admin' | 'dcr' | 'cimd';

/** What a client says of itself, at registration or in its metadata document. */
export type ClientMetadata = Pick<
  Client,
  | 'name'
  | 'redirectUris'
  | 'grantTypes'
  | 'responseTypes'
  | 'tokenEndpointAuthMethod'
  | 'applicationType'
  | 'agent'
  | 'agentDescription'
  | 'dpopBoundAccessTokens'
  | keyof ClientKeyMetadata
>;

/** Ids this server hands out never look like a URL, so one look at the id tells where a client's metadata comes from. */
export function isUrlId(id: string): boolean {
  return /^https?:/i.test(id);
}
