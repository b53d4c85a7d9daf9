import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { GroupScopes } from '../accounts/group-scopes.js';
import { AuditLog } from '../audit/audit-log.js';
import { Clients, type Client } from '../clients/clients.js';
import { Consents } from '../consents/consents.js';
import { isMint, type MintResource } from '../resources/resource.js';
import { Resources } from '../resources/resources.js';
import type { ConsentQuestion } from './consent-links.js';
import type { ConsentScope } from './consent.page.js';
import { DecisionStore } from './decision.store.js';

/** The question of a link, as things are now. */
export interface LinkedRequest {
  readonly client: Client;
  readonly resource: MintResource;
  readonly policyEpoch: number;
  readonly scopes: readonly ConsentScope[];
}

/** What a person decides who was asked by a link: a consent, and no code. */
@Injectable()
export class LinkedDecision {
  constructor(
    private readonly clients: Clients,
    private readonly resources: Resources,
    private readonly consents: Consents,
    private readonly groups: GroupScopes,
    private readonly store: DecisionStore,
    private readonly audit: AuditLog,
  ) {}

  /** @throws OAuthError for a page: the application or the resource is gone, or the person's groups give nothing of it by now */
  async read({ userId, clientId, resourceId, scopes }: ConsentQuestion): Promise<LinkedRequest> {
    const client = await this.clients.find(clientId);
    const facts = { clientId };
    if (!client) throw new OAuthError('application-unknown', 'client_unknown', { facts });
    if (client.status === 'suspended') throw new OAuthError('application-unknown', 'client_suspended', { facts });
    if (client.status === 'revoked') throw new OAuthError('application-unknown', 'client_revoked', { facts });
    const { epoch, resource } = await this.#target(resourceId);
    const consent = await this.consents.current(userId, clientId, resourceId);
    const ceiling = await this.groups.ceiling(userId, resourceId, epoch);
    const declared = resource.scopes.filter(({ name }) => scopes.includes(name) && (ceiling?.has(name) ?? true));
    if (ceiling && declared.length === 0)
      throw new OAuthError('scope-empty', 'groups_allow_nothing', {
        facts: { ...facts, user: userId, resource: resource.uri },
      });
    return {
      client,
      resource,
      policyEpoch: epoch,
      scopes: declared.map(({ name, description }) => {
        return { name, description, ticked: true, already: consent?.scopes.includes(name) ?? false };
      }),
    };
  }

  /**
   * @param ticked the scopes allowed; undefined when the person denied. Those of the question that are not among them are taken back (W18)
   * @returns whether anything was allowed
   */
  async decide(
    request: LinkedRequest,
    session: BrowserSession,
    ticked: readonly string[] | undefined,
  ): Promise<boolean> {
    const { user } = session;
    const offered = request.scopes.map(({ name }) => name);
    const granted = offered.filter((scope) => ticked?.includes(scope));
    const place = { userId: user.id, clientId: request.client.id, resourceId: request.resource.id };
    if (granted.length === 0) {
      const detail = { resource: request.resource.slug };
      await this.audit.refused({ action: 'consent.denied', actorId: user.id, clientId: place.clientId, detail });
      return false;
    }
    const unticked = offered.filter((scope) => !granted.includes(scope));
    await this.store.decide(request, session, (tx) => this.consents.give(tx, { ...place, ticked: granted, unticked }));
    return true;
  }

  async #target(resourceId: string): Promise<{ epoch: number; resource: MintResource }> {
    const snapshot = await this.resources.current();
    const resource = snapshot.byId(resourceId);
    if (isMint(resource)) return { epoch: snapshot.epoch, resource };
    throw new OAuthError('resource-unknown', 'resource_unknown', { facts: { resource: resourceId } });
  }
}
