import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import { parseDuration } from '../config/duration.js';
import type { OidcProviderSettings, OidcSettings } from '../config/oidc-settings.js';
import { DEFAULT_PROVIDER, type IdentityProvider } from './identity-provider.js';
import { normalEmail } from './user.js';

const DEFAULT_SCOPES = ['openid', 'email', 'profile'];

/** The identity providers there are. */
@Injectable()
export class IdentityProviders {
  /** Whether people may also sign in with a password of this server. */
  readonly localLogin: boolean;
  readonly #all: readonly IdentityProvider[];

  constructor({ oidc, server }: Config) {
    this.localLogin = oidc.showLocalLogin;
    const own = `${server.issuer}/oidc/callback`;
    this.#all = [
      ...(oidc.enabled ? [toProvider(oidc, DEFAULT_PROVIDER, oidc.redirectUri ?? own)] : []),
      ...oidc.providers.map((one) => toProvider(one, one.slug, `${server.issuer}/oidc/${one.slug}/callback`)),
    ];
  }

  find(slug: string): IdentityProvider | undefined {
    return this.#all.find((provider) => provider.slug === slug);
  }

  /** Whether any is asked again about people who signed in there. */
  get rechecking(): boolean {
    return this.#all.some(({ recheckSeconds }) => recheckSeconds !== undefined);
  }

  /** Those with a button. */
  shown(): readonly IdentityProvider[] {
    return this.#all.filter(({ emailDomains }) => emailDomains.length === 0);
  }

  /** Whether some are reached by an e-mail address only. */
  get byAddress(): boolean {
    return this.#all.some(({ emailDomains }) => emailDomains.length > 0);
  }

  /** The one for people with such an address. It is where they are asked who they are, and proves nothing. */
  forEmail(email: string): IdentityProvider | undefined {
    const address = normalEmail(email);
    const domain = address.slice(address.lastIndexOf('@') + 1);
    return address.includes('@') ? this.#all.find(({ emailDomains }) => emailDomains.includes(domain)) : undefined;
  }
}

function toProvider(
  settings: OidcSettings | OidcProviderSettings,
  slug: string,
  redirectUri: string,
): IdentityProvider {
  const { issuer = '', clientId = '', clientSecret, connectorId, scopes, displayName } = settings;
  const { includeGroupsScope, hostedDomains, tenants, emailDomains, trustEmail, logoutUpstream } = settings;
  const { groupsClaim, recheck, authorizationParameters, logoutRevokesTokens } = settings;
  const provider: IdentityProvider = {
    slug,
    issuer,
    clientId,
    redirectUri,
    connectorId,
    displayName: displayName ?? new URL(issuer).host,
    scopes: scopes.length === 0 ? DEFAULT_SCOPES : [...new Set(['openid', ...scopes])],
    includeGroupsScope,
    groupsClaim,
    recheckSeconds: recheck === 'off' ? undefined : parseDuration(recheck),
    authorizationParameters: JSON.parse(authorizationParameters) as Record<string, string>,
    logoutRevokesTokens,
    hostedDomains: hostedDomains.map((domain) => domain.toLowerCase()),
    tenants,
    emailDomains: emailDomains.map((domain) => domain.toLowerCase()),
    trustEmail,
    logoutUpstream,
  };
  return Object.defineProperty(provider, 'clientSecret', { value: clientSecret, enumerable: false });
}
