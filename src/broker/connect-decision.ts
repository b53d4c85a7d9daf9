import { Injectable } from '@nestjs/common';
import { OAuthError, type Form } from '#libs/oauth';
import type { BrowserSession } from '../accounts/browser-sessions.js';
import { AuditLog } from '../audit/audit-log.js';
import { resourceLabel } from '../resources/resource.js';
import { Resources } from '../resources/resources.js';
import type { ConnectDoneProps } from './connect-done.page.js';
import { ConnectFlow, type Choice } from './connect-flow.js';
import { isConnected, type ConnectPlan } from './connect-plan.js';
import { Connections } from './connections.js';
import { providerLabel, type Provider } from './provider.js';

/** Where the person goes from here: to an address that was checked, or to our last page. */
export type Onward = { readonly to: string } | { readonly done: ConnectDoneProps };

/** What follows from a person's answer, and from their coming back from the provider. */
@Injectable()
export class ConnectDecision {
  constructor(
    private readonly flow: ConnectFlow,
    private readonly connections: Connections,
    private readonly resources: Resources,
    private readonly audit: AuditLog,
  ) {}

  /** @param choice undefined when the person denied */
  async decide(plan: ConnectPlan, session: BrowserSession, choice: Choice | undefined): Promise<Onward> {
    const { provider, asked, connection, returnUrl } = plan;
    const place = { provider: providerLabel(provider), server: asked && resourceLabel(asked.source) };
    if (!choice) {
      await this.#denied(provider, session, asked?.client.id, 'user_denied');
      return returnUrl === undefined ? { done: { ...place, allowed: false } } : { to: returnUrl };
    }
    if (!asked || !isConnected(connection, choice.ticked)) return { to: await this.flow.begin(plan, session, choice) };
    const consent = { ...choice, sourceResourceId: asked.source.id, clientId: asked.client.id };
    await this.connections.allow({ session, provider }, consent);
    return returnUrl === undefined ? { done: { ...place, allowed: true } } : { to: returnUrl };
  }

  /** @throws OAuthError for a page */
  async arrive(provider: Provider, session: BrowserSession | undefined, query: Form): Promise<Onward> {
    const end = await this.flow
      .finish(provider, session, query)
      .catch((error: unknown) => this.#failed(error, session));
    const { sourceResourceId, clientId, returnUrl } = end.flow;
    const source = sourceResourceId && (await this.resources.current()).byId(sourceResourceId);
    const place = { provider: providerLabel(provider), server: source ? resourceLabel(source) : undefined };
    if (end.kind === 'denied') {
      if (session) await this.#denied(provider, session, clientId, 'upstream_denied');
      return returnUrl === undefined ? { done: { ...place, allowed: false } } : { to: returnUrl };
    }
    if (returnUrl !== undefined) return { to: returnUrl };
    return { done: { ...place, allowed: true, missing: end.missing } };
  }

  /** What is upstream's or the operator's fault is on record, too: the person will ask about it. */
  async #failed(error: unknown, session: BrowserSession | undefined): Promise<never> {
    if (error instanceof OAuthError && error.status >= 500) {
      const { reason, facts: detail } = error;
      await this.audit.refused({ action: 'connect.denied', reason, actorId: session?.user.id, detail });
    }
    throw error;
  }

  #denied(
    provider: Provider,
    { user }: BrowserSession,
    clientId: string | undefined,
    reason: 'user_denied' | 'upstream_denied',
  ): Promise<void> {
    const detail = { provider: provider.slug };
    return this.audit.refused({ action: 'connect.denied', reason, actorId: user.id, clientId, detail });
  }
}
