import { Injectable, Logger } from '@nestjs/common';
import { findJsonMember, parseJson, withoutJsonMember } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Encryption } from '../encryption/encryption.js';
import { Clock } from '../platform/clock/clock.js';
import { uuid7 } from '../platform/uuid7.js';
import { Connectors } from './connectors/connectors.js';
import type { Protocol, Provider } from './provider.js';
import { changesOf } from './provider-changes.js';
import { ProviderConfigWrong } from './provider-config.js';
import { ProviderSecrets } from './provider-secrets.js';
import { ProviderStore } from './provider.store.js';
import { UpstreamMisconfigured } from './upstream-errors.js';

export interface ProviderDraft {
  readonly slug: string;
  readonly displayName?: string;
  readonly protocol: Protocol;
  /** JSON; kept as it is, but for an inline secret. */
  readonly configData: string;
}

export type ProviderChange = { readonly [K in keyof ProviderDraft]?: ProviderDraft[K] };

export class ProviderNotFound extends Error {}
export class ProviderInvalid extends Error {}
export class ProviderTaken extends Error {}
/** Something depends on the provider as it is. */
export class ProviderInUse extends Error {}

/** What a provider holds must not lie readable (W54). */
export class DataEncryptionRequired extends Error {
  constructor() {
    super('data_encryption required when broker_providers configured');
  }
}

const SLUG = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_SECRET = 16 * 1024;

/** The operator's hand on providers. Every change ends with a new policy epoch (S6). */
@Injectable()
export class ProviderRegistry {
  readonly #log = new Logger(ProviderRegistry.name);

  constructor(
    private readonly store: ProviderStore,
    private readonly connectors: Connectors,
    private readonly secrets: ProviderSecrets,
    private readonly encryption: Encryption,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** @throws DataEncryptionRequired, ProviderInvalid, ProviderConfigWrong, ProviderTaken */
  async create(draft: ProviderDraft): Promise<Provider> {
    const now = this.clock.now();
    const id = uuid7(now);
    const provider = await this.#checked({
      ...draft,
      id,
      displayName: draft.displayName ?? '',
      createdAt: now,
      updatedAt: now,
    });
    return this.store.transaction(async (tx) => {
      if (!(await this.store.insert(tx, provider))) throw taken();
      await this.audit.record(tx, { action: 'broker_provider.created', detail: { id, slug: provider.slug } });
      return provider;
    });
  }

  /**
   * @throws ProviderNotFound, ProviderInUse, and as `create` does
   */
  async patch(id: string, change: ProviderChange): Promise<Provider> {
    return this.store.transaction(async (tx) => {
      const known = await this.store.lock(tx, id);
      if (!known) throw new ProviderNotFound();
      const named = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
      const isOther = change.protocol !== undefined && change.protocol !== known.protocol;
      if (isOther && (await this.store.isConnected(tx, id)))
        throw new ProviderInUse('protocol cannot change while accounts are connected');
      const provider = await this.#checked({
        ...known,
        ...named,
        sealedSecret: isOther ? undefined : known.sealedSecret,
        updatedAt: this.clock.now(),
      });
      if (!(await this.store.update(tx, provider))) throw taken();
      const { inlineSecret } = this.connectors.of(provider);
      const detail = {
        id,
        slug: provider.slug,
        fields: Object.keys(named),
        ...changesOf(known, provider, inlineSecret),
      };
      await this.audit.record(tx, { action: 'broker_provider.patched', detail });
      return provider;
    });
  }

  /** What is over goes along. @throws ProviderNotFound, ProviderInUse */
  async remove(id: string): Promise<void> {
    await this.store.transaction(async (tx) => {
      const known = await this.store.lock(tx, id);
      if (!known) throw new ProviderNotFound();
      const resources = await this.store.resourcesOf(tx, id);
      if (resources.length > 0) throw new ProviderInUse(`resources lead to this provider: ${resources.join(', ')}`);
      if (await this.store.isConnected(tx, id))
        throw new ProviderInUse('accounts are connected at this provider, or are still being revoked there');
      await this.store.remove(tx, id);
      await this.audit.record(tx, { action: 'broker_provider.deleted', detail: { id, slug: known.slug } });
    });
  }

  /** Why a provider cannot work as it is, as far as that can be seen from here. */
  async problemOf(provider: Provider): Promise<string | undefined> {
    const connector = this.connectors.of(provider);
    try {
      const atHand = { given: false, kept: provider.sealedSecret !== undefined };
      const place = connector.check(provider.configData, atHand);
      const { reference } = place;
      if (reference !== undefined && !this.secrets.isSet(reference)) return `the variable ${reference} is not set`;
      await connector.checkSecret?.(provider, await this.secrets.of(provider, place));
      return undefined;
    } catch (error) {
      if (error instanceof ProviderConfigWrong) return error.message;
      if (error instanceof UpstreamMisconfigured) return `its secret cannot be used: ${error.code}`;
      throw error;
    }
  }

  /** Sealed before anything is stored: a provider as it will lie in its row. */
  async #checked(provider: Provider): Promise<Provider> {
    if (this.encryption.driver === 'none') throw new DataEncryptionRequired();
    if (!SLUG.test(provider.slug)) throw new ProviderInvalid('slug must be 1 to 63 of a-z, 0-9 and dash');
    const connector = this.connectors.of(provider);
    const { configData, secret } = withoutSecret(provider.configData, connector.inlineSecret);
    const atHand = { given: secret !== undefined, kept: provider.sealedSecret !== undefined };
    const { inRow } = connector.check(configData, atHand);
    if (secret !== undefined) await connector.checkSecret?.({ ...provider, configData }, secret);
    const sealed = secret === undefined ? provider.sealedSecret : await this.secrets.seal(provider.id, secret);
    const checked = { ...provider, configData, sealedSecret: inRow ? sealed : undefined };
    const problem = await this.problemOf(checked);
    if (problem) this.#log.warn(`provider ${provider.slug}: ${problem}`);
    return checked;
  }
}

const taken = (): ProviderTaken => new ProviderTaken('another provider has this slug');

/** @throws ProviderConfigWrong */
function withoutSecret(configData: string, name: string): { configData: string; secret?: string } {
  requireJson(configData);
  const member = findJsonMember(configData, name);
  if (!member) return { configData };
  const secret: unknown = JSON.parse(configData.slice(member.valueStart, member.end));
  if (typeof secret !== 'string' || secret === '' || secret.length > MAX_SECRET)
    throw new ProviderConfigWrong(name, `must be text of 1 to ${MAX_SECRET} characters`);
  return { configData: withoutJsonMember(configData, member), secret };
}

function requireJson(text: string): void {
  try {
    parseJson(text);
  } catch {
    throw new ProviderConfigWrong('', 'must be JSON in which no member occurs twice');
  }
}
