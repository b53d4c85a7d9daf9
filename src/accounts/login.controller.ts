import { Get, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { BrowserSessions } from './browser-sessions.js';
import { Csrf } from './csrf.js';
import { FlowCookie } from './flow-cookie.js';
import { DEFAULT_PROVIDER } from './identity-provider.js';
import { IdentityProviders } from './identity-providers.js';
import { loginPage, type LoginPageProps } from './login.page.js';
import { goalOf } from './sign-in-goal.js';
import { SignIn } from './sign-in.js';

type Shown = Pick<LoginPageProps, 'request' | 'email' | 'problem' | 'retryAfterSeconds'>;

const contextOf = (request: string | undefined): string => `login ${request ?? ''}`;

/**
 * GET, POST /login.
 *
 * `request` is the sealed authorization request, or the question of a consent or connect link: carried through unread, bounded by the
 * form's own limits. There is no parameter that says where to go afterwards: it is a page of ours (`sign-in-goal.ts`).
 */
@PageController('login')
export class LoginController {
  constructor(
    private readonly pages: Pages,
    private readonly signIn: SignIn,
    private readonly sessions: BrowserSessions,
    private readonly flow: FlowCookie,
    private readonly csrf: Csrf,
    private readonly providers: IdentityProviders,
  ) {}

  @Get()
  async show(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    // `state` is how a request comes back from the sign-out page of an identity provider.
    const request = query.get('request') ?? query.get('state');
    if (request === undefined && (await this.sessions.current(req))) return this.pages.seeOther(res, '/account');
    await this.#send(res, this.flow.ensure(req, res), { request });
  }

  @Post()
  async enter(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    if (!this.providers.localLogin) throw new OAuthError('not-found', 'not_found');
    const request = form.get('request');
    const flow = this.flow.require(req);
    this.csrf.require(req, form.get('csrf'), flow, contextOf(request));

    const email = form.get('email') ?? '';
    const outcome = await this.signIn.enter(req, res, email, form.get('password') ?? '');
    if (outcome.kind === 'entered') {
      return this.pages.seeOther(res, goalOf(request), { request });
    }
    if (outcome.kind === 'refused') return this.#send(res, flow, { request, email, problem: 'refused' }, 422);
    const { retryAfterSeconds } = outcome;
    res.set('Retry-After', String(retryAfterSeconds));
    await this.#send(res, flow, { request, email, problem: 'locked', retryAfterSeconds }, 429);
  }

  async #send(res: Response, flow: string, props: Shown, status?: number): Promise<void> {
    const csrf = this.csrf.token(flow, contextOf(props.request));
    const { shown, byAddress } = await this.providers.ways();
    const ways = {
      localLogin: this.providers.localLogin,
      providers: shown.map(({ slug, displayName }) => ({
        name: displayName,
        href: this.pages.href(slug === DEFAULT_PROVIDER ? '/oidc/start' : `/oidc/${slug}/start`),
      })),
      byEmail: byAddress ? this.pages.href('/oidc/by-email') : undefined,
    };
    this.pages.send(res, loginPage({ ...props, ...ways, csrf, action: this.pages.href('/login') }), status);
  }
}
