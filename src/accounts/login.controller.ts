import { Get, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Form } from '#libs/oauth';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { BrowserSessions } from './browser-sessions.js';
import { Csrf } from './csrf.js';
import { FlowCookie } from './flow-cookie.js';
import { loginPage, type LoginPageProps } from './login.page.js';
import { goalOf } from './sign-in-goal.js';
import { SignIn } from './sign-in.js';

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
  ) {}

  @Get()
  async show(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    const request = query.get('request');
    if (request === undefined && (await this.sessions.current(req))) return this.pages.seeOther(res, '/account');
    this.#send(res, this.flow.ensure(req, res), { request });
  }

  @Post()
  async enter(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
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
    this.#send(res, flow, { request, email, problem: 'locked', retryAfterSeconds }, 429);
  }

  #send(res: Response, flow: string, props: Omit<LoginPageProps, 'action' | 'csrf'>, status?: number): void {
    const csrf = this.csrf.token(flow, contextOf(props.request));
    this.pages.send(res, loginPage({ ...props, csrf, action: this.pages.href('/login') }), status);
  }
}
