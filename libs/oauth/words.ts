/** Names that go over the wire, in one place. */

export const grantType = {
  authorizationCode: 'authorization_code',
  refreshToken: 'refresh_token',
  clientCredentials: 'client_credentials',
  tokenExchange: 'urn:ietf:params:oauth:grant-type:token-exchange',
  jwtBearer: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
} as const;

/** Token type identifiers (RFC 8693 §3). */
export const tokenType = {
  accessToken: 'urn:ietf:params:oauth:token-type:access_token',
  jwt: 'urn:ietf:params:oauth:token-type:jwt',
  refreshToken: 'urn:ietf:params:oauth:token-type:refresh_token',
  /** draft-ietf-oauth-identity-assertion-authz-grant */
  idJag: 'urn:ietf:params:oauth:token-type:id-jag',
} as const;

/** The short name of a grant type: the last part of a URN, `token-exchange`. */
export const grantName = (type: string): string => type.slice(type.lastIndexOf(':') + 1);

export type GrantType = (typeof grantType)[keyof typeof grantType];

export const authMethods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt'] as const;

export type AuthMethod = (typeof authMethods)[number];

/** Whether clients of this method are given a secret. */
export const usesSecret = (method: AuthMethod): boolean =>
  method === 'client_secret_basic' || method === 'client_secret_post';

/** RFC 7523 §2.2 */
export const clientAssertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export const applicationTypes = ['web', 'native'] as const;

export type ApplicationType = (typeof applicationTypes)[number];

/** draft-ietf-oauth-identity-assertion-authz-grant: what `authorization_grant_profiles_supported` names. */
export const idJagProfile = 'urn:ietf:params:oauth:grant-profile:id-jag';

/** `typ` header values of the JWTs this server makes or reads. */
export const jwtType = {
  /** RFC 9068 §2.1 */
  accessToken: 'at+jwt',
  /** draft-ietf-oauth-identity-assertion-authz-grant */
  idJag: 'oauth-id-jag+jwt',
} as const;
