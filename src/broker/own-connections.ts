import { Injectable } from '@nestjs/common';
import { isUuid } from '../platform/uuid7.js';
import { ConnectionConsents } from './connection-consents.js';
import { ConnectionViewStore } from './connection-view.store.js';
import type { OwnConnection } from './connection-view.js';
import { Connections } from './connections.js';
import { Connectors } from './connectors/connectors.js';
import type { Provider } from './provider.js';
import { Providers } from './providers.js';
import { UpstreamMisconfigured } from './upstream-errors.js';

/** What a person sees of their own connections, and may end of them. */
@Injectable()
export class OwnConnections {
  constructor(
    private readonly views: ConnectionViewStore,
    private readonly connections: Connections,
    private readonly consents: ConnectionConsents,
    private readonly providers: Providers,
    private readonly connectors: Connectors,
  ) {}

  async ofUser(userId: string): Promise<OwnConnection[]> {
    const [stored, providers] = await Promise.all([this.views.ofUser(userId), this.providers.list()]);
    return stored.map((connection) => {
      const narrows = this.#narrows(providers.find(({ id }) => id === connection.providerId));
      const consents = connection.consents.map((consent) => ({
        ...consent,
        scopes: narrows ? consent.allowedScopes : connection.scopes,
      }));
      return { ...connection, consents };
    });
  }

  /** Of a provider that does not work as it is nobody knows: then more is named rather than less. */
  #narrows(provider: Provider | undefined): boolean {
    try {
      return provider !== undefined && this.connectors.of(provider).traits(provider).downscope;
    } catch (error) {
      if (error instanceof UpstreamMisconfigured) return false;
      throw error;
    }
  }

  /** @returns false when they have none at that provider */
  async disconnect(userId: string, providerSlug: string): Promise<boolean> {
    const provider = await this.providers.bySlug(providerSlug);
    return provider !== undefined && this.connections.disconnect(userId, provider.id);
  }

  /** One MCP server may have nothing of an account any more. @returns false when there is no such consent of theirs */
  async withdraw(userId: string, consentId: string): Promise<boolean> {
    return isUuid(consentId) && this.consents.withdraw(userId, consentId);
  }
}
