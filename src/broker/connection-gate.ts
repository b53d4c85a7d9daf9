import { Injectable } from '@nestjs/common';
import { OAuthError, type ReasonOf } from '#libs/oauth';
import type { MintResource } from '../resources/resource.js';
import { ConnectLinks } from './connect-links.js';
import { ConnectionConsentStore } from './connection-consent.store.js';
import { ConnectionStore } from './connection.store.js';
import { Connectors } from './connectors/connectors.js';
import { providerLabel, type Provider } from './provider.js';
import { Providers } from './providers.js';
import { namesCovered, type Vend, type VendRequest } from './vend.js';

/** What the person is asked for, and what that means to the client. */
const causes = { 'connect-required': 'consent_missing', 'more-access-needed': 'scope_insufficient' } as const;

/**
 * Asks whether the person connected an account, and let the MCP server use it (W45): one MCP server's consent is not another's. It
 * only reads, and asks nothing of upstream.
 */
@Injectable()
export class ConnectionGate {
  constructor(
    private readonly providers: Providers,
    private readonly connectors: Connectors,
    private readonly connections: ConnectionStore,
    private readonly consents: ConnectionConsentStore,
    private readonly links: ConnectLinks,
  ) {}

  /**
   * @param source stands for the MCP server
   * @param named whether the request names its scopes; otherwise as many of them as the person allowed are vended
   * @throws OAuthError `consent_required`, with a link to the connect page (W35); `exchange-denied`; `try-again` when the resource has no provider
   */
  async pass(request: VendRequest, source: MintResource, named: boolean): Promise<Vend> {
    const { person, resource } = request;
    const provider = await this.#providerOf(request);
    if (!this.connectors.of(provider).connects) return ofOperator(request, provider);
    const userId = person.id;
    const refused = <S extends keyof typeof causes>(symptom: S, reason: ReasonOf<S>): OAuthError =>
      this.#ask(symptom, reason, request, source, provider);
    const covered = (scopes: readonly string[], words: readonly string[]): readonly string[] | undefined => {
      const within = namesCovered(resource, words);
      const left = scopes.filter((scope) => within.includes(scope));
      return left.length === 0 || (named && left.length < scopes.length) ? undefined : left;
    };

    const [connection, consent] = await Promise.all([
      this.connections.current(userId, provider.id),
      this.consents.current({ userId, providerId: provider.id, sourceResourceId: source.id }),
    ]);
    if (!connection) {
      const ended = await this.connections.anyEnded(userId, provider.id);
      throw refused('connect-required', ended ? 'connection_ended' : 'connection_missing');
    }
    if (connection.status !== 'active') throw refused('connect-required', 'upstream_refused');
    if (!consent) throw refused('connect-required', 'connection_not_consented');
    const consented = covered(request.scopes, consent.scopes);
    if (!consented) throw refused('more-access-needed', 'scope_not_consented');
    const connected = covered(consented, connection.scopes);
    if (!connected) throw refused('more-access-needed', 'scope_not_connected');
    return { ...request, scopes: connected, provider, connected: { connection, consentId: consent.id } };
  }

  async #providerOf({ client, resource }: VendRequest): Promise<Provider> {
    const { brokerProviderId: id } = resource;
    const provider = id === undefined ? undefined : await this.providers.find(id);
    if (provider) return provider;
    throw new OAuthError('try-again', 'upstream_misconfigured', {
      facts: { clientId: client.id, resource: resource.slug, provider: id },
    });
  }

  #ask<S extends keyof typeof causes>(
    symptom: S,
    reason: ReasonOf<S>,
    { client, person, resource, scopes, derivation }: VendRequest,
    source: MintResource,
    provider: Provider,
  ): OAuthError {
    const { originClientId: clientId } = derivation;
    const link = this.links.make({
      userId: person.id,
      clientId,
      sourceResourceId: source.id,
      targetResourceId: resource.id,
      providerSlug: provider.slug,
      scopes,
    });
    return new OAuthError(symptom, reason, {
      fill: { provider: providerLabel(provider) },
      members: { consent_url: link.url, cause: causes[symptom], expires_in: link.expiresInSeconds },
      facts: {
        clientId: client.id,
        origin_client: clientId,
        user: person.id,
        source: source.slug,
        resource: resource.slug,
        provider: provider.slug,
        scopes,
      },
    });
  }
}

/** Nobody is asked, so that the operator must have named the client: an empty list lets nobody in. */
function ofOperator(request: VendRequest, provider: Provider): Vend {
  const { client, resource } = request;
  if (resource.policy.exchange.allowedClientIds.includes(client.id)) return { ...request, provider };
  throw new OAuthError('exchange-denied', 'operator_gate_denied', {
    facts: { clientId: client.id, resource: resource.slug, provider: provider.slug },
  });
}
