import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, redirectHost, type Form } from '#libs/oauth';
import { BrowserSessions, type BrowserSession } from '../accounts/browser-sessions.js';
import { Csrf, LOGOUT } from '../accounts/csrf.js';
import { Pages } from '../platform/http/page.js';
import { resourceLabel } from '../resources/resource.js';
import type { Choice } from './connect-flow.js';
import { isQuestion, type ConnectPurpose } from './connect-links.js';
import { isConnected, type ConnectPlan } from './connect-plan.js';
import { connectPage } from './connect.page.js';
import { providerLabel } from './provider.js';

const BOX = 'scope:';

/** The person at the connect page: who they are, what they see, and what they answered. */
@Injectable()
export class ConnectAsking {
  constructor(
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly pages: Pages,
  ) {}

  /**
   * The session that may answer; without one the browser has been sent to sign in.
   *
   * @throws OAuthError for a page when somebody else is signed in: they must not answer for another (U3)
   */
  async sessionFor(
    req: Request,
    res: Response,
    sealed: string,
    purpose: ConnectPurpose,
  ): Promise<BrowserSession | undefined> {
    const session = await this.sessions.current(req);
    if (!session) {
      this.pages.seeOther(res, '/login', { request: sealed });
      return undefined;
    }
    if (isQuestion(purpose) && session.user.id !== purpose.userId) {
      const facts = { user: session.user.id, provider: purpose.providerSlug };
      throw new OAuthError('link-of-another-account', 'link_of_another_account', { facts });
    }
    return session;
  }

  /** Whoever is signed in here. */
  current(req: Request): Promise<BrowserSession | undefined> {
    return this.sessions.current(req);
  }

  ask(res: Response, plan: ConnectPlan, session: BrowserSession, sealed: string): void {
    const { provider, connector, asked, connection, scopes, returnUrl } = plan;
    const { downscope, host } = connector.traits(provider);
    const offered = scopes.map(({ upstream }) => upstream);
    const page = connectPage({
      brand: this.pages.brand,
      provider: { name: providerLabel(provider), host },
      asked: asked && {
        server: resourceLabel(asked.source),
        serverUri: asked.source.uri,
        client: asked.client.name,
        agent: asked.client.agent,
      },
      scopes,
      connected: connection && {
        account: connection.account,
        scopes: connection.scopes,
        broken: connection.status !== 'active',
      },
      allOrNothing: !downscope,
      staysHere: asked !== undefined && isConnected(connection, offered),
      returnHost: returnUrl === undefined ? undefined : redirectHost(returnUrl),
      user: session.user,
      csrf: this.csrf.token(session.id, contextOf(sealed)),
      request: sealed,
      action: this.pages.href(`/connect/${provider.slug}`),
      logoutCsrf: this.csrf.token(session.id, LOGOUT),
      logoutAction: this.pages.href('/logout'),
    });
    this.pages.send(res, page);
  }

  /** @returns undefined when the person denied, or ticked nothing where there was something to tick */
  answer(req: Request, form: Form, plan: ConnectPlan, session: BrowserSession): Choice | undefined {
    this.csrf.require(req, form.get('csrf'), session.id, contextOf(form.get('request') ?? ''));
    const offered = plan.scopes.map(({ upstream }) => upstream);
    const ticked = plan.scopes.filter(({ name }) => form.has(`${BOX}${name}`)).map(({ upstream }) => upstream);
    if (form.get('decision') !== 'allow' || (ticked.length === 0 && offered.length > 0)) return undefined;
    return { ticked: [...new Set(ticked)], unticked: offered.filter((scope) => !ticked.includes(scope)) };
  }
}

const contextOf = (sealed: string): string => `connect:${sealed}`;
