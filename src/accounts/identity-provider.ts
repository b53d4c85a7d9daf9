/** Where people sign in who have no password here. */
export interface IdentityProvider {
  /** In its callback `/oidc/{slug}/callback`. */
  readonly slug: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret?: string;
  readonly redirectUri: string;
  readonly displayName: string;
  /** `openid` is among them. */
  readonly scopes: readonly string[];
  readonly includeGroupsScope: boolean;
  /** The claim that holds them. */
  readonly groupsClaim: string;
  /** After how long it is asked again whether somebody is still welcome; absent: never. */
  readonly recheckSeconds?: number;
  /** Added to every authorization request. */
  readonly authorizationParameters: Readonly<Record<string, string>>;
  /** Whether a sign-out told by its back channel ends refresh families, too. */
  readonly logoutRevokesTokens: boolean;
  /** Dex forwards to it. */
  readonly connectorId?: string;
  /** Of these one must be the `hd` of the ID token; none: any. */
  readonly hostedDomains: readonly string[];
  /** Of these one must be the `tid`. */
  readonly tenants: readonly string[];
  /** In lower case. People with such an address are sent there; the others see no button of it. */
  readonly emailDomains: readonly string[];
  /** Whether an address counts that the provider does not call verified. */
  readonly trustEmail: boolean;
  /** Whether signing out here leads to its sign-out page. */
  readonly logoutUpstream: boolean;
}

/** The one in `oidc` itself, whose callback is /oidc/callback. */
export const DEFAULT_PROVIDER = 'default';
