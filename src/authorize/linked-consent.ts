import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, redirectKind, type Form } from '#libs/oauth';
import { BrowserSessions, type BrowserSession } from '../accounts/browser-sessions.js';
import { Csrf, LOGOUT } from '../accounts/csrf.js';
import { Pages } from '../platform/http/page.js';
import { resourceLabel } from '../resources/resource.js';
import { consentDonePage } from './consent-done.page.js';
import { ConsentLinks, type ConsentQuestion } from './consent-links.js';
import { consentPage, tickedScopes } from './consent.page.js';
import { LinkedDecision, type LinkedRequest } from './linked-decision.js';

/** The consent page as it is opened by a link from an exchange (W35): the same page, and no way back but the person's own. */
@Injectable()
export class LinkedConsent {
  constructor(
    private readonly links: ConsentLinks,
    private readonly decision: LinkedDecision,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly pages: Pages,
  ) {}

  /** @returns undefined when the sealed request is that of a code flow */
  questionOf(sealed: string): ConsentQuestion | undefined {
    return this.links.open(sealed);
  }

  async ask(req: Request, res: Response, sealed: string, question: ConsentQuestion): Promise<void> {
    const session = await this.#sessionOf(req, question);
    if (!session) return this.pages.seeOther(res, '/login', { request: sealed });
    const request = await this.decision.read(question);
    this.pages.send(res, consentPage(this.#pageOf(request, session, sealed)));
  }

  async decide(req: Request, res: Response, form: Form, question: ConsentQuestion): Promise<void> {
    const sealed = form.get('request') ?? '';
    const session = await this.#sessionOf(req, question);
    if (!session) return this.pages.seeOther(res, '/login', { request: sealed });
    this.csrf.require(req, form.get('csrf'), session.id, contextOf(sealed));
    const request = await this.decision.read(question);
    const ticked = form.get('decision') === 'allow' ? tickedScopes(form) : undefined;
    const allowed = await this.decision.decide(request, session, ticked);
    this.pages.send(
      res,
      consentDonePage({ client: request.client.name, resource: resourceLabel(request.resource), allowed }),
    );
  }

  /** @throws OAuthError for a page when somebody else is signed in: they must not answer for another */
  async #sessionOf(req: Request, { userId }: ConsentQuestion): Promise<BrowserSession | undefined> {
    const session = await this.sessions.current(req);
    if (session && session.user.id !== userId) {
      const facts = { user: session.user.id };
      throw new OAuthError('link-of-another-account', 'link_of_another_account', { facts });
    }
    return session;
  }

  #pageOf(request: LinkedRequest, { id, user }: BrowserSession, sealed: string): Parameters<typeof consentPage>[0] {
    const { client, resource, scopes } = request;
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
      scopes,
      csrf: this.csrf.token(id, contextOf(sealed)),
      request: sealed,
      action: this.pages.href('/consent'),
      loopbackOnly: isDocument && client.redirectUris.every((uri) => redirectKind(uri) === 'loopback'),
      logoutCsrf: this.csrf.token(id, LOGOUT),
      logoutAction: this.pages.href('/logout'),
    };
  }
}

const contextOf = (sealed: string): string => `consent-link:${sealed}`;
