import { Delete, Get, Param, Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { BrowserSessions, type BrowserSession } from '../accounts/browser-sessions.js';
import { Csrf } from '../accounts/csrf.js';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { wantsJson } from '../platform/http/either-error-filter.js';
import { EitherController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { toConnectionDocument } from './connections.dto.js';
import { connectionsPage, outcomes, type Outcome } from './connections.page.js';
import { OwnConnections } from './own-connections.js';

const CONNECTIONS = 'connections';

/** A person's own connections: a page, and JSON for the applications of our own origin. */
@EitherController(CONNECTIONS)
export class ConnectionsController {
  constructor(
    private readonly connections: OwnConnections,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
    private readonly pages: Pages,
  ) {}

  @Get()
  async show(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    res.vary('Accept');
    const session = await this.#session(req, res);
    if (!session) return;
    const connections = await this.connections.ofUser(session.user.id);
    if (wantsJson(req)) {
      res.set('Cache-Control', 'no-store').json({ connections: connections.map(toConnectionDocument) });
      return;
    }
    const done = query.get('done') ?? '';
    const page = connectionsPage({
      connections,
      outcome: isOutcome(done) ? done : undefined,
      csrf: this.csrf.token(session.id, CONNECTIONS),
      href: (path, parameters) => this.pages.href(path, parameters),
      below: '/connections',
    });
    this.pages.send(res, page);
  }

  @Delete(':provider')
  async delete(@Req() req: Request, @Res() res: Response, @Param('provider') provider: string): Promise<void> {
    this.csrf.requireOwnOrigin(req);
    const session = await this.#session(req, res);
    if (!session) return;
    if (!(await this.connections.disconnect(session.user.id, provider))) throw new OAuthError('not-found', 'not_found');
    res.status(204).end();
  }

  @Post('disconnect')
  disconnect(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, 'disconnected', ({ user }) =>
      this.connections.disconnect(user.id, form.get('provider') ?? ''),
    );
  }

  @Post('withdraw')
  withdraw(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    return this.#change(req, res, form, 'withdrawn', ({ user }) =>
      this.connections.withdraw(user.id, form.get('consent') ?? ''),
    );
  }

  async #change(
    req: Request,
    res: Response,
    form: Form,
    done: Outcome,
    work: (session: BrowserSession) => Promise<unknown>,
  ): Promise<void> {
    const session = await this.#session(req, res);
    if (!session) return;
    this.csrf.require(req, form.get('csrf'), session.id, CONNECTIONS);
    await work(session);
    this.pages.seeOther(res, '/connections', { done });
  }

  /** A program is told to sign in; a person is sent to do so. */
  async #session(req: Request, res: Response): Promise<BrowserSession | undefined> {
    const session = await this.sessions.current(req);
    if (session) return session;
    if (wantsJson(req)) throw new OAuthError('sign-in-required', 'session_missing');
    this.pages.seeOther(res, '/login');
    return undefined;
  }
}

const isOutcome = (word: string): word is Outcome => Object.hasOwn(outcomes, word);
