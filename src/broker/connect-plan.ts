import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { Clients, type Client } from '../clients/clients.js';
import { isMint, type MintResource, type Resource, type ResourceSnapshot } from '../resources/resource.js';
import { Resources } from '../resources/resources.js';
import { isQuestion, type ConnectPurpose } from './connect-links.js';
import type { Connector } from './connectors/connector.js';
import { Connectors } from './connectors/connectors.js';
import { ConnectionConsentStore } from './connection-consent.store.js';
import { ConnectionStore } from './connection.store.js';
import type { Connection, ConnectionConsent } from './connection.js';
import type { Provider } from './provider.js';
import { Providers } from './providers.js';

/** One box on the connect page. */
export interface OfferedScope {
  readonly name: string;
  readonly description: string;
  /** The provider's word for it. */
  readonly upstream: string;
  readonly ticked: boolean;
  /** The MCP server has it already. */
  readonly already: boolean;
}

/** What a person is asked on the connect page, as things are now. */
export interface ConnectPlan {
  readonly provider: Provider;
  readonly connector: Connector;
  readonly target: Resource;
  /** For whom; absent when the person came by themselves. */
  readonly asked?: { readonly client: Client; readonly source: MintResource; readonly consent?: ConnectionConsent };
  readonly scopes: readonly OfferedScope[];
  /** The person's, if they have one. */
  readonly connection?: Connection;
  readonly returnUrl?: string;
}

/** Whether so much can be had without going to the provider. */
export const isConnected = (connection: Connection | undefined, scopes: readonly string[]): boolean =>
  connection?.status === 'active' && scopes.every((scope) => connection.scopes.includes(scope));

@Injectable()
export class ConnectPlans {
  constructor(
    private readonly providers: Providers,
    private readonly connectors: Connectors,
    private readonly resources: Resources,
    private readonly clients: Clients,
    private readonly connections: ConnectionStore,
    private readonly consents: ConnectionConsentStore,
  ) {}

  /**
   * The provider of a link and the resource whose tokens come from it.
   *
   * @param resource its URI; without one there must be no other of this provider
   * @throws OAuthError for a page
   */
  async target(slug: string, resource: string | undefined): Promise<Resource> {
    const { provider } = await this.provider(slug);
    const snapshot = await this.resources.current();
    const of = snapshot.all.filter(({ brokerProviderId }) => brokerProviderId === provider.id);
    const named = resource === undefined ? of.length === 1 && of[0] : snapshot.byUri(resource);
    if (named && of.includes(named)) return named;
    if (resource === undefined && of.length > 1)
      throw new OAuthError('parameter-missing', 'parameter_missing', { fill: { parameter: 'resource' } });
    throw notOfProvider(slug, resource);
  }

  /** @throws OAuthError for a page: something that the link is about is gone, or has become another thing */
  async read(purpose: ConnectPurpose, userId: string): Promise<ConnectPlan> {
    const { provider, connector } = await this.provider(purpose.providerSlug);
    const snapshot = await this.resources.current();
    const target = targetIn(snapshot, purpose, provider);
    const [connection, asked] = await Promise.all([
      this.connections.current(userId, provider.id),
      isQuestion(purpose) ? this.#asked(purpose, snapshot, userId, provider) : undefined,
    ]);
    const { returnUrl } = purpose;
    const wanted = isQuestion(purpose) ? purpose.scopes : undefined;
    const scopes = target.scopes
      .filter(({ name }) => wanted?.includes(name) ?? true)
      .map(({ name, description, upstream = name, default: ticked }): OfferedScope => {
        const already = asked?.consent?.scopes.includes(upstream) ?? false;
        return { name, description, upstream, ticked: wanted !== undefined || ticked, already };
      });
    return { provider, connector, target, asked, scopes, connection, returnUrl };
  }

  /** The resource that a purpose is about. @throws OAuthError for a page */
  async targetOf(purpose: ConnectPurpose): Promise<Resource> {
    const { provider } = await this.provider(purpose.providerSlug);
    return targetIn(await this.resources.current(), purpose, provider);
  }

  /** A provider where people connect accounts. @throws OAuthError for a page */
  async provider(slug: string): Promise<{ provider: Provider; connector: Connector }> {
    const provider = await this.providers.bySlug(slug);
    if (!provider)
      throw new OAuthError('connect-target-unknown', 'provider_unknown', { facts: { provider: slug.slice(0, 63) } });
    const connector = this.connectors.of(provider);
    if (connector.connects) return { provider, connector };
    throw new OAuthError('connect-target-unknown', 'connect_step_missing', { facts: { provider: slug } });
  }

  async #asked(
    { clientId, sourceResourceId }: { clientId: string; sourceResourceId: string },
    snapshot: ResourceSnapshot,
    userId: string,
    provider: Provider,
  ): Promise<ConnectPlan['asked']> {
    const facts = { clientId };
    const client = await this.clients.find(clientId);
    if (!client) throw new OAuthError('application-unknown', 'client_unknown', { facts });
    if (client.status === 'suspended') throw new OAuthError('application-unknown', 'client_suspended', { facts });
    if (client.status === 'revoked') throw new OAuthError('application-unknown', 'client_revoked', { facts });
    const source = snapshot.byId(sourceResourceId);
    if (!isMint(source))
      throw new OAuthError('resource-unknown', 'resource_unknown', { facts: { resource: sourceResourceId } });
    const place = { userId, providerId: provider.id, sourceResourceId };
    return { client, source, consent: await this.consents.current(place) };
  }
}

function targetIn(snapshot: ResourceSnapshot, { targetResourceId }: ConnectPurpose, { id, slug }: Provider): Resource {
  const target = snapshot.byId(targetResourceId);
  if (target?.brokerProviderId === id) return target;
  throw notOfProvider(slug, targetResourceId);
}

const notOfProvider = (provider: string, resource: string | undefined): OAuthError =>
  new OAuthError('connect-target-unknown', 'resource_not_of_provider', { facts: { provider, resource } });
