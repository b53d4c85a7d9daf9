import { Get, Post, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { redirectHost, redirectKind, required, type Form } from '#libs/oauth';
import { BrowserSessions, type BrowserSession } from '../accounts/browser-sessions.js';
import { Csrf } from '../accounts/csrf.js';
import { auditRefusals } from '../audit/audit-refusals.js';
import type { Consent } from '../consents/consent.js';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { resourceLabel } from '../resources/resource.js';
import { AuthorizationFlow } from './authorization-flow.js';
import { promptsOf, type AuthorizationRequest } from './authorization-request.js';
import { ConsentDecision } from './consent-decision.js';
import { consentPage, tickedScopes } from './consent.page.js';
import { LinkedConsent } from './linked-consent.js';
import type { OpenedRequest } from './sealed-request.js';

const AuditDenials = auditRefusals(() => 'authorize.denied');

@PageController('consent')
export class ConsentController {
  constructor(
    private readonly flow: AuthorizationFlow,
    private readonly decision: ConsentDecision,
    private readonly linked: LinkedConsent,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly pages: Pages,
  ) {}

  /** Asks the person, or answers at once under a consent that was given earlier (W17). */
  @Get()
  @UseInterceptors(AuditDenials)
  async ask(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    const sealed = required(query, 'request');
    const question = this.linked.questionOf(sealed);
    if (question) return this.linked.ask(req, res, sealed, question);
    const opened = this.flow.open(req, sealed);
    const session = await this.#sessionFor(req, opened);
    if (!session) return this.pages.seeOther(res, '/login', { request: sealed });
    await this.flow.answer(res, opened, async (asked) => {
      const request = await this.decision.within(asked, session.user);
      const { suffices, consent } = await this.decision.earlier(request, session.user);
      if (consent && suffices) return this.decision.codeUnder(consent, request, session);
      this.pages.send(res, consentPage(this.#pageOf(request, session, consent, sealed)));
      return undefined;
    });
  }

  @Post()
  @UseInterceptors(AuditDenials)
  async decide(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    const sealed = required(form, 'request');
    const question = this.linked.questionOf(sealed);
    if (question) return this.linked.decide(req, res, form, question);
    const opened = this.flow.open(req, sealed);
    const session = await this.#sessionFor(req, opened);
    if (!session) return this.pages.seeOther(res, '/login', { request: sealed });
    this.csrf.require(req, form.get('csrf'), session.id, `consent:${sealed}`);
    await this.flow.answer(res, opened, async (asked) => {
      if (form.get('decision') !== 'allow') return this.decision.deny(asked, session.user);
      const request = await this.decision.within(asked, session.user);
      return this.decision.allow(request, session, tickedScopes(form));
    });
  }

  /** The session that may answer: `prompt=login` wants a sign-in that is younger than the request. */
  async #sessionFor(req: Request, { parameters, madeAt }: OpenedRequest): Promise<BrowserSession | undefined> {
    const session = await this.sessions.current(req);
    const fresh = promptsOf(parameters).includes('login');
    return session && fresh && session.createdAt < madeAt ? undefined : session;
  }

  #pageOf(
    request: AuthorizationRequest,
    { id, user }: BrowserSession,
    consent: Consent | undefined,
    sealed: string,
  ): Parameters<typeof consentPage>[0] {
    const { client, resource, redirectUri } = request;
    const isDocument = client.registrationSource === 'cimd';
    return {
      brand: this.pages.brand,
      client: {
        name: client.name,
        id: client.id,
        host: isDocument ? new URL(client.id).host : undefined,
        selfRegistered: client.registrationSource === 'dcr',
        agent: client.agent,
      },
      user,
      resource: { name: resourceLabel(resource), uri: resource.uri },
      redirect: { host: redirectHost(redirectUri), kind: redirectKind(redirectUri) ?? 'private-use' },
      scopes: request.scopes.map((scope) => ({ ...scope, already: consent?.scopes.includes(scope.name) ?? false })),
      csrf: this.csrf.token(id, `consent:${sealed}`),
      request: sealed,
      action: this.pages.href('/consent'),
      loopbackOnly: isDocument && client.redirectUris.every((uri) => redirectKind(uri) === 'loopback'),
      logoutCsrf: this.csrf.token(id, 'logout'),
      logoutAction: this.pages.href('/logout'),
    };
  }
}
