import { Injectable } from '@nestjs/common';
import { isUuid } from '../platform/uuid7.js';
import { ConnectionConsents } from './connection-consents.js';
import { ConnectionViewStore } from './connection-view.store.js';
import type { OwnConnection } from './connection-view.js';
import { Connections } from './connections.js';
import { Providers } from './providers.js';

/** What a person sees of their own connections, and may end of them. */
@Injectable()
export class OwnConnections {
  constructor(
    private readonly views: ConnectionViewStore,
    private readonly connections: Connections,
    private readonly consents: ConnectionConsents,
    private readonly providers: Providers,
  ) {}

  ofUser(userId: string): Promise<OwnConnection[]> {
    return this.views.ofUser(userId);
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
