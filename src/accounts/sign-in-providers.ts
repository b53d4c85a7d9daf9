import { isIP } from 'node:net';
import { Injectable, Logger } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { OidcMembersWrong, readOidcProvider, type OidcMembers } from '../config/stored-oidc-provider.js';
import { Clock } from '../platform/clock/clock.js';
import { isInternalOrPublicAddress } from '../platform/http-client/address-rules.js';
import { FetchRefused } from '../platform/http-client/fetch-errors.js';
import { outgoingUrl } from '../platform/http-client/outgoing-url.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { DEFAULT_PROVIDER } from './identity-provider.js';
import { configuredSlugs } from './identity-providers.js';
import type { SignInProvider } from './sign-in-provider.js';
import { SignInProviderSecrets } from './sign-in-provider-secrets.js';
import { SignInProviderStore } from './sign-in-provider.store.js';

/** What an operator says: the members of one of `oidc.providers`, and `enabled`. In a change, null takes a value away. */
export type SignInProviderDraft = OidcMembers;

export class SignInProviderNotFound extends Error {}
/** It stands in the configuration, which is changed there. */
export class SignInProviderConfigured extends Error {
  constructor() {
    super('this provider is in the configuration: change it there');
  }
}
export class SignInProviderTaken extends Error {
  constructor() {
    super('another sign-in provider has this slug');
  }
}
/** There are people who signed in there. */
export class SignInProviderInUse extends Error {
  constructor() {
    super('people have signed in at this provider; disable it, or delete it with force=true');
  }
}

const MAX_SECRET = 4096;

/** The operator's hand on identity providers. Every change ends with a new policy epoch (S6). */
@Injectable()
export class SignInProviders {
  readonly #log = new Logger(SignInProviders.name);

  constructor(
    private readonly store: SignInProviderStore,
    private readonly secrets: SignInProviderSecrets,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** Those that lie in the database; one whose slug is in the configuration, too, is not signed in at. */
  list(): Promise<SignInProvider[]> {
    return this.store.all();
  }

  /** Whether there is one, here or in the configuration, enabled or not. */
  async has(slug: string): Promise<boolean> {
    if (slug === DEFAULT_PROVIDER) return this.config.oidc.enabled;
    return configuredSlugs(this.config).has(slug) || (await this.store.bySlug(slug)) !== undefined;
  }

  /** @throws OidcMembersWrong, SignInProviderTaken, EncryptionOff */
  async create({
    slug,
    enabled = true,
    client_secret: given,
    ...settings
  }: SignInProviderDraft): Promise<SignInProvider> {
    const now = this.clock.now();
    const id = uuid7(now);
    const secret = secretOf(given ?? undefined);
    if (secret !== undefined && (settings['client_secret_ref'] ?? undefined) !== undefined) throw twoSecrets();
    const checked = this.#checked(slug, settings, enabled);
    if (configuredSlugs(this.config).has(checked.slug)) throw new SignInProviderTaken();
    const sealedSecret = secret === undefined ? undefined : await this.secrets.seal(id, secret);
    const provider: SignInProvider = { ...checked, id, sealedSecret, createdAt: now, updatedAt: now };
    return this.store.transaction(async (tx) => {
      if (!(await this.store.insert(tx, provider))) throw new SignInProviderTaken();
      const detail = { id, slug: provider.slug, issuer: provider.settings['issuer'], enabled: provider.enabled };
      await this.audit.record(tx, { action: 'sign_in_provider.created', detail });
      return provider;
    });
  }

  /**
   * What is not named stays. A secret and the name of a variable with it take each other's place.
   *
   * @throws SignInProviderNotFound, SignInProviderConfigured, and as `create` does
   */
  async patch(slug: string, change: SignInProviderDraft): Promise<SignInProvider> {
    const { enabled: switched, client_secret: given, ...members } = change;
    const secret = secretOf(given ?? undefined);
    const reference = members['client_secret_ref'] ?? undefined;
    if (secret !== undefined && reference !== undefined) throw twoSecrets();
    if ('slug' in members)
      throw new OidcMembersWrong('slug cannot change: it is in the redirect URI, and says where people signed in');
    // Also where there is a row of that slug: it is not in use.
    if (configuredSlugs(this.config).has(slug)) throw new SignInProviderConfigured();
    return this.store.transaction(async (tx) => {
      const known = await this.#lock(tx, slug);
      const merged = { ...known.settings, ...members, ...(secret !== undefined && { client_secret_ref: null }) };
      const checked = this.#checked(slug, merged, switched ?? known.enabled);
      const kept = given === null || reference !== undefined ? undefined : known.sealedSecret;
      const sealedSecret = secret === undefined ? kept : await this.secrets.seal(known.id, secret);
      const provider = { ...known, ...checked, sealedSecret, updatedAt: this.clock.now() };
      await this.store.update(tx, provider);
      const detail = {
        id: known.id,
        slug,
        enabled: provider.enabled,
        fields: Object.keys(change),
        ...movedOf(known, provider),
      };
      await this.audit.record(tx, { action: 'sign_in_provider.patched', detail });
      return provider;
    });
  }

  /**
   * Sessions that began there go on, and so does what its groups give: both end by a hand of their own.
   *
   * @param force although people signed in there; they stay, and cannot sign in there any more
   * @throws SignInProviderNotFound, SignInProviderConfigured, SignInProviderInUse
   */
  async remove(slug: string, { force = false }: { force?: boolean } = {}): Promise<void> {
    await this.store.transaction(async (tx) => {
      const known = await this.#lock(tx, slug);
      const used = await this.store.isUsed(tx, slug, String(known.settings['issuer']));
      if (used && !force) throw new SignInProviderInUse();
      await this.store.remove(tx, known.id);
      await this.audit.record(tx, { action: 'sign_in_provider.deleted', detail: { id: known.id, slug, forced: used } });
    });
  }

  async #lock(tx: Transaction, slug: string): Promise<SignInProvider> {
    const known = await this.store.lock(tx, slug);
    if (known) return known;
    throw configuredSlugs(this.config).has(slug) ? new SignInProviderConfigured() : new SignInProviderNotFound();
  }

  /** Kept as it was said, without what was taken away, so that what is not said follows its default. */
  #checked(
    slug: unknown,
    members: OidcMembers,
    enabled: unknown,
  ): Pick<SignInProvider, 'slug' | 'settings' | 'enabled'> {
    if (typeof enabled !== 'boolean') throw new OidcMembersWrong('enabled must be true or false');
    const settings = Object.fromEntries(Object.entries(members).filter(([, value]) => value !== null && value !== ''));
    const read = readOidcProvider({ ...settings, slug }, this.config);
    const { clientSecretRef: reference, issuer = '' } = read;
    if (!this.#mayBeAsked(issuer)) throw new OidcMembersWrong('issuer must be the URL of a host that may be asked');
    if (reference !== undefined && !this.secrets.isSet(reference))
      this.#log.warn(`sign-in provider ${read.slug}: the variable ${reference} is not set`);
    return { slug: read.slug, settings, enabled };
  }

  #mayBeAsked(issuer: string): boolean {
    try {
      const { host } = outgoingUrl(issuer, { trust: 'operator', allowHttp: this.config.isLocal });
      return isIP(host) === 0 || isInternalOrPublicAddress(host);
    } catch (error) {
      if (error instanceof FetchRefused) return false;
      throw error;
    }
  }
}

const twoSecrets = (): OidcMembersWrong =>
  new OidcMembersWrong('client_secret and client_secret_ref exclude each other');

function secretOf(given: unknown): string | undefined {
  if (given === undefined) return undefined;
  if (typeof given === 'string' && given !== '' && given.length <= MAX_SECRET) return given;
  throw new OidcMembersWrong(`client_secret must be text of 1 to ${MAX_SECRET} characters`);
}

/** Where people and the secret go from now on, and where they went. */
function movedOf(former: SignInProvider, present: SignInProvider): object {
  const [from, to] = [former, present].map(({ settings }) => settings['issuer']);
  return {
    ...(from !== to && { moved: { from, to } }),
    ...(former.sealedSecret !== present.sealedSecret && { secret: 'changed' }),
  };
}
