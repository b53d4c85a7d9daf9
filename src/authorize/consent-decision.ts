import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { GroupScopes } from '../accounts/group-scopes.js';
import type { User } from '../accounts/user.js';
import { AuditLog } from '../audit/audit-log.js';
import { Consents } from '../consents/consents.js';
import type { Consent } from '../consents/consent.js';
import { AuthorizationCodes } from '../tokens/authorization-codes.js';
import type { AuthorizationRequest } from './authorization-request.js';
import { needsToAsk } from './consent-rules.js';
import { DecisionStore } from './decision.store.js';

/** Turns what a person allowed, now or earlier, into a code: consent and code in one commit. */
@Injectable()
export class ConsentDecision {
  constructor(
    private readonly store: DecisionStore,
    private readonly consents: Consents,
    private readonly codes: AuthorizationCodes,
    private readonly groups: GroupScopes,
    private readonly audit: AuditLog,
  ) {}

  /**
   * What the person's groups leave of the request: they are asked for no more, and a code is good for no more.
   *
   * @throws OAuthError `scope-empty`, for the client
   */
  async within(request: AuthorizationRequest, user: User): Promise<AuthorizationRequest> {
    const { client, resource, policyEpoch } = request;
    const ceiling = await this.groups.ceiling(user.id, resource.id, policyEpoch);
    if (!ceiling) return request;
    const scopes = request.scopes.filter(({ name }) => ceiling.has(name));
    if (scopes.length > 0) return { ...request, scopes };
    throw new OAuthError('scope-empty', 'groups_allow_nothing', {
      facts: { clientId: client.id, user: user.id, resource: resource.uri },
    });
  }

  /** The consent that answers the request without a page, if there is one (W17); and what was allowed before. */
  async earlier(request: AuthorizationRequest, user: User): Promise<{ suffices: boolean; consent?: Consent }> {
    const consent = await this.consents.current(user.id, request.client.id, request.resource.id);
    return { suffices: consent !== undefined && !needsToAsk(request, consent), consent };
  }

  /** A code under a consent that was given earlier. @throws OAuthError when it was changed meanwhile */
  codeUnder(consent: Consent, request: AuthorizationRequest, session: BrowserSession): Promise<string> {
    return this.store.decide(request, session, (tx) => this.#code(tx, consent, request, requestedNames(request)));
  }

  /**
   * The person pressed Allow. Unticking a scope takes it back, also where it was allowed earlier (W18).
   *
   * @param ticked names of the scopes whose boxes are ticked; others than those offered are ignored
   * @returns the code to send to the client
   */
  allow(request: AuthorizationRequest, session: BrowserSession, ticked: readonly string[]): Promise<string> {
    const { user } = session;
    const offered = requestedNames(request);
    const granted = offered.filter((scope) => ticked.includes(scope));
    if (granted.length === 0 && offered.length > 0) return this.deny(request, user);
    return this.store.decide(request, session, async (tx) => {
      const consent = await this.consents.give(tx, {
        userId: user.id,
        clientId: request.client.id,
        resourceId: request.resource.id,
        redirectUri: request.redirectUri,
        ticked: granted,
        unticked: offered.filter((scope) => !granted.includes(scope)),
      });
      return this.#code(tx, consent, request, granted);
    });
  }

  /** The person pressed Deny, or ticked nothing. @throws OAuthError `access_denied`, for the client */
  async deny(request: AuthorizationRequest, user: User): Promise<never> {
    const detail = { resource: request.resource.slug };
    await this.audit.refused({ action: 'consent.denied', actorId: user.id, clientId: request.client.id, detail });
    throw new OAuthError('user-denied', 'user_denied', { facts: { clientId: request.client.id } });
  }

  #code(
    tx: Parameters<AuthorizationCodes['create']>[0],
    consent: Consent,
    request: AuthorizationRequest,
    scopes: readonly string[],
  ): Promise<string> {
    return this.codes.create(tx, {
      clientId: request.client.id,
      userId: consent.userId,
      resourceId: request.resource.id,
      consentId: consent.id,
      redirectUri: request.redirectUri,
      scopes,
      codeChallenge: request.codeChallenge,
      dpopJkt: request.dpopJkt ?? null,
    });
  }
}

const requestedNames = (request: AuthorizationRequest): string[] => request.scopes.map(({ name }) => name);
