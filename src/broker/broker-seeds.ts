import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Encryption } from '../encryption/encryption.js';
import { ResourceRegistry, ResourceTaken } from '../resources/resource-registry.js';
import { ProviderConfigWrong } from './provider-config.js';
import { DataEncryptionRequired, ProviderRegistry, ProviderTaken } from './provider-registry.js';
import type { Provider } from './provider.js';
import { Providers } from './providers.js';

/**
 * Creates the providers of the configuration whose slug does not exist yet, then the resources that lead to providers; what exists is
 * the operator's to change (wire §8.3). Providers that are there are looked through: without encryption at rest the server does not
 * start with any (W54), and one that cannot work is named.
 */
@Injectable()
export class BrokerSeeds implements OnApplicationBootstrap {
  readonly #log = new Logger(BrokerSeeds.name);

  constructor(
    private readonly config: Config,
    private readonly encryption: Encryption,
    private readonly providers: Providers,
    private readonly registry: ProviderRegistry,
    private readonly resources: ResourceRegistry,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const known = await this.providers.list();
    if (known.length > 0 && this.encryption.driver === 'none') throw new DataEncryptionRequired();
    for (const provider of known) await this.#warnOf(provider);
    await this.#seedProviders(new Set(known.map(({ slug }) => slug)));
    await this.#seedResources();
  }

  async #seedProviders(known: ReadonlySet<string>): Promise<void> {
    for (const seed of this.config.brokerProviders.filter(({ slug }) => !known.has(slug))) {
      try {
        const { slug, displayName, protocol, configData } = seed;
        await this.registry.create({ slug, displayName, protocol, configData });
        this.#log.log(`provider ${slug} created from the configuration`);
      } catch (error) {
        if (error instanceof ProviderConfigWrong)
          throw new Error(`broker_providers: ${seed.slug}: ${error.message}`, { cause: error });
        // Another replica may have been faster.
        if (!(error instanceof ProviderTaken)) throw error;
      }
    }
  }

  async #seedResources(): Promise<void> {
    const known = new Set((await this.resources.list()).map(({ slug }) => slug));
    const wanted = this.config.resources.filter(
      ({ slug, backendKind }) => backendKind === 'broker' && !known.has(slug),
    );
    if (wanted.length === 0) return;
    const providers = await this.providers.list();
    for (const { brokerProviderSlug, brokerProviderId, ...seed } of wanted) {
      const provider = providers.find(({ id, slug }) => slug === brokerProviderSlug || id === brokerProviderId);
      if (!provider) throw new Error(`resources: the broker provider of ${seed.slug} does not exist`);
      try {
        await this.resources.create({ ...seed, brokerProviderId: provider.id });
        this.#log.log(`resource ${seed.slug} created from the configuration`);
      } catch (error) {
        if (!(error instanceof ResourceTaken)) throw error;
        if (error.member === 'uri')
          this.#log.warn(`resource ${seed.slug} not created: its uri belongs to another resource`);
      }
    }
  }

  async #warnOf(provider: Provider): Promise<void> {
    const problem = await this.registry.problemOf(provider);
    if (problem) this.#log.warn(`provider ${provider.slug} cannot work: ${problem}`);
  }
}
