import { Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Form } from '#libs/oauth';
import { FormBody } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { Config } from '../config/config.js';
import { BrowserSessions, type BrowserSession } from './browser-sessions.js';
import { Csrf, LOGOUT } from './csrf.js';
import { Federation } from './federation.js';
import { IdentityProviders } from './identity-providers.js';

/** POST /logout, and on to the sign-out page of the identity provider at which the session began. A `request` is carried to the sign-in page, for whoever wants to go on as somebody else. */
@PageController('logout')
export class LogoutController {
  constructor(
    private readonly pages: Pages,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly providers: IdentityProviders,
    private readonly federation: Federation,
    private readonly config: Config,
  ) {}

  @Post()
  async leave(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    const session = await this.sessions.held(req);
    if (session) {
      this.csrf.require(req, form.get('csrf'), session.id, LOGOUT);
      await this.sessions.end(req, res);
    }
    const request = form.get('request');
    const upstream = await this.#upstream(session, request);
    if (upstream === undefined) this.pages.seeOther(res, '/login', { request });
    else this.pages.leave(res, upstream);
  }

  async #upstream(session: BrowserSession | undefined, request?: string): Promise<string | undefined> {
    const { identityProvider: slug } = session ?? {};
    // A provider that cannot be asked keeps nobody from signing out here.
    const provider = slug === undefined ? undefined : await this.providers.find(slug).catch(() => undefined);
    return provider && this.federation.endSessionUrl(provider, `${this.config.server.issuer}/login`, request);
  }
}
