import { Get, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Form } from '#libs/oauth';
import { BrowserSessions, type BrowserSession } from '../accounts/browser-sessions.js';
import { Csrf, LOGOUT } from '../accounts/csrf.js';
import { PasswordChange } from '../accounts/password-change.js';
import { OwnConnections } from '../broker/own-connections.js';
import { Consents } from '../consents/consents.js';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { inWords } from '../platform/http/error.page.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { isUuid } from '../platform/uuid7.js';
import { accountPage, outcomes, type AccountPageProps, type Outcome } from './account.page.js';
import { browserLabel } from './browser-label.js';

const ACCOUNT = 'account';

/** GET /account, and what a person can do there. Whoever is not signed in is sent to do so; every change is a POST of our own form. */
@PageController('account')
export class AccountController {
  constructor(
    private readonly pages: Pages,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly consents: Consents,
    private readonly connections: OwnConnections,
    private readonly passwords: PasswordChange,
  ) {}

  @Get()
  async show(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    const session = await this.sessions.current(req);
    if (!session) return this.pages.seeOther(res, '/login');
    const done = query.get('done') ?? '';
    await this.#send(res, session, { outcome: isOutcome(done) ? done : undefined });
  }

  @Post('withdraw')
  withdraw(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async ({ user }) => {
      const id = form.get('consent') ?? '';
      if (isUuid(id)) await this.consents.withdraw(user.id, id);
      this.#done(res, 'withdrawn');
    });
  }

  @Post('connections/withdraw')
  withdrawServer(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async ({ user }) => {
      await this.connections.withdraw(user.id, form.get('consent') ?? '');
      this.#done(res, 'server-withdrawn');
    });
  }

  @Post('connections/disconnect')
  disconnect(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async ({ user }) => {
      await this.connections.disconnect(user.id, form.get('provider') ?? '');
      this.#done(res, 'disconnected');
    });
  }

  @Post('sessions/end')
  endSession(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async ({ user }) => {
      const id = form.get('session') ?? '';
      if (isUuid(id)) await this.sessions.endOne(user.id, id);
      this.#done(res, 'ended');
    });
  }

  @Post('sessions/end-others')
  endOtherSessions(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async ({ user, id }) => {
      await this.sessions.endAll(user.id, id);
      this.#done(res, 'others-ended');
    });
  }

  @Post('password')
  changePassword(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, async (session) => {
      const [current = '', next = '', again = ''] = ['current', 'new', 'again'].map((name) => form.get(name));
      const outcome = await this.passwords.change(req, res, session.user, { current, next, again });
      if (outcome.kind === 'changed') return this.#done(res, 'password-changed');
      if (outcome.kind === 'refused') return this.#send(res, session, { passwordProblem: outcome.problem }, 422);
      res.set('Retry-After', String(outcome.retryAfterSeconds));
      const passwordProblem = `Too many attempts. Please try again in ${inWords(outcome.retryAfterSeconds)}.`;
      return this.#send(res, session, { passwordProblem }, 429);
    });
  }

  async #change(
    req: Request,
    res: Response,
    form: Form,
    work: (session: BrowserSession) => Promise<void>,
  ): Promise<void> {
    const session = await this.sessions.current(req);
    if (!session) return this.pages.seeOther(res, '/login');
    this.csrf.require(req, form.get('csrf'), session.id, ACCOUNT);
    await work(session);
  }

  #done(res: Response, done: Outcome): void {
    this.pages.seeOther(res, '/account', { done });
  }

  async #send(
    res: Response,
    { id, user }: BrowserSession,
    result: Pick<AccountPageProps, 'outcome' | 'passwordProblem'>,
    status?: number,
  ): Promise<void> {
    const [apps, connections, sessions] = await Promise.all([
      this.consents.ofUser(user.id),
      this.connections.ofUser(user.id),
      this.sessions.ofUser(user.id),
    ]);
    const page = accountPage({
      ...result,
      user,
      apps,
      connections,
      sessions: sessions.map((session) => ({
        id: session.id,
        label: browserLabel(session.userAgent),
        since: session.createdAt,
        current: session.id === id,
      })),
      canChangePassword: user.provider === 'local',
      csrf: { account: this.csrf.token(id, ACCOUNT), logout: this.csrf.token(id, LOGOUT) },
      href: (path) => this.pages.href(path),
    });
    this.pages.send(res, page, status);
  }
}

const isOutcome = (word: string): word is Outcome => Object.hasOwn(outcomes, word);
