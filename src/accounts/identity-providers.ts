import { Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { parseDuration } from '../config/duration.js';
import type { OidcProviderSettings, OidcSettings } from '../config/oidc-settings.js';
import { OidcMembersWrong, readOidcProvider } from '../config/stored-oidc-provider.js';
import { DEFAULT_PROVIDER, type IdentityProvider } from './identity-provider.js';
import type { SignInProvider } from './sign-in-provider.js';
import { SignInProviderSecrets } from './sign-in-provider-secrets.js';
import { SignInProviderStore } from './sign-in-provider.store.js';
import { normalEmail } from './user.js';

const DEFAULT_SCOPES = ['openid', 'email', 'profile'];

/** One that may be signed in at, and what its secret is had from where it lies in the database. */
interface Way {
  readonly provider: IdentityProvider;
  /** Off: nobody signs in there; who did is still asked about, and signed out. */
  readonly enabled: boolean;
  readonly stored?: { readonly row: SignInProvider; readonly reference?: string };
}

/** The ways to sign in, as a page shows them. */
export interface SignInWays {
  /** Those with a button. */
  readonly shown: readonly IdentityProvider[];
  /** Whether some are reached by an e-mail address only. */
  readonly byAddress: boolean;
}

/**
 * The identity providers there are: those of the configuration, and those of the database as of the present policy epoch, so that a change
 * is in force in every replica from the next request on.
 */
@Injectable()
export class IdentityProviders {
  /** Whether people may also sign in with a password of this server. */
  readonly localLogin: boolean;
  readonly #log = new Logger(IdentityProviders.name);
  readonly #configured: readonly Way[];
  #known: { readonly epoch: number; readonly ways: readonly Way[] } | undefined;

  constructor(
    private readonly config: Config,
    private readonly store: SignInProviderStore,
    private readonly secrets: SignInProviderSecrets,
  ) {
    const { oidc, server } = config;
    this.localLogin = oidc.showLocalLogin;
    const own = `${server.issuer}/oidc/callback`;
    this.#configured = [
      ...(oidc.enabled ? [toProvider(oidc, DEFAULT_PROVIDER, oidc.redirectUri ?? own)] : []),
      ...oidc.providers.map((one) => toProvider(one, one.slug, callbackOf(server.issuer, one.slug))),
    ].map((provider) => ({ provider, enabled: true }));
  }

  /**
   * One at which people sign in now.
   *
   * @throws OAuthError `sign-in-misconfigured` when its secret is not to be had
   */
  async find(slug: string): Promise<IdentityProvider | undefined> {
    return this.#withSecret((await this.#on()).find(({ provider }) => provider.slug === slug));
  }

  /** The same, switched off or not: to ask it about people. */
  async findKnown(slug: string): Promise<IdentityProvider | undefined> {
    return this.#withSecret((await this.#ways()).find(({ provider }) => provider.slug === slug));
  }

  /** Switched off or not, without its secret. */
  async known(slug: string): Promise<IdentityProvider | undefined> {
    return (await this.#ways()).find(({ provider }) => provider.slug === slug)?.provider;
  }

  /** All of them, switched off or not, without their secrets. */
  async all(): Promise<IdentityProvider[]> {
    return (await this.#ways()).map(({ provider }) => provider);
  }

  /**
   * Whether any is asked again about people who signed in there.
   *
   * @param epoch that the caller decides on; absent: as of now
   */
  async asksAgain(epoch?: number): Promise<boolean> {
    return (await this.#ways(epoch)).some(({ provider }) => provider.recheckSeconds !== undefined);
  }

  async ways(): Promise<SignInWays> {
    const all = (await this.#on()).map(({ provider }) => provider);
    const shown = all.filter(({ emailDomains }) => emailDomains.length === 0);
    return { shown, byAddress: shown.length < all.length };
  }

  /** The one for people with such an address. It is where they are asked who they are, and proves nothing. Throws as `find`. */
  async forEmail(email: string): Promise<IdentityProvider | undefined> {
    const address = normalEmail(email);
    const domain = address.slice(address.lastIndexOf('@') + 1);
    if (!address.includes('@')) return undefined;
    return this.#withSecret((await this.#on()).find(({ provider }) => provider.emailDomains.includes(domain)));
  }

  async #on(): Promise<readonly Way[]> {
    return (await this.#ways()).filter(({ enabled }) => enabled);
  }

  /** @throws DatabaseAway */
  async #ways(asOf?: number): Promise<readonly Way[]> {
    if (this.#known && this.#known.epoch === asOf) return this.#known.ways;
    const epoch = await this.store.epoch();
    if (this.#known?.epoch === epoch) return this.#known.ways;
    const taken = new Set(this.#configured.map(({ provider }) => provider.slug));
    const stored = (await this.store.all()).filter(({ slug }) => !taken.has(slug));
    this.#known = { epoch, ways: [...this.#configured, ...stored.flatMap((row) => this.#wayOf(row))] };
    return this.#known.ways;
  }

  /** A row that was good when it was stored and no longer is, by a change of the configuration, takes no other with it. */
  #wayOf(row: SignInProvider): Way[] {
    const { issuer } = this.config.server;
    try {
      const settings = readOidcProvider({ ...row.settings, slug: row.slug }, this.config);
      const provider = toProvider(settings, row.slug, callbackOf(issuer, row.slug));
      return [{ provider, enabled: row.enabled, stored: { row, reference: settings.clientSecretRef } }];
    } catch (error) {
      if (!(error instanceof OidcMembersWrong)) throw error;
      this.#log.warn(`sign-in provider ${row.slug} cannot be used: ${error.message}`);
      return [];
    }
  }

  async #withSecret(way: Way | undefined): Promise<IdentityProvider | undefined> {
    if (!way?.stored) return way?.provider;
    const { row, reference } = way.stored;
    return hiding({ ...way.provider }, await this.secrets.of(row, reference));
  }
}

/** The slugs of the configuration, and the reserved one. */
export const configuredSlugs = ({ oidc }: Config): ReadonlySet<string> =>
  new Set([DEFAULT_PROVIDER, ...oidc.providers.map(({ slug }) => slug)]);

const callbackOf = (issuer: string, slug: string): string => `${issuer}/oidc/${slug}/callback`;

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
  return hiding(provider, clientSecret);
}

/** Not enumerable, as every secret. */
const hiding = (provider: IdentityProvider, clientSecret: string | undefined): IdentityProvider =>
  Object.defineProperty(provider, 'clientSecret', { value: clientSecret, enumerable: false });
