import { Post, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Form } from '#libs/oauth';
import { FormBody } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { BrowserSessions } from './browser-sessions.js';
import { Csrf, LOGOUT } from './csrf.js';

/** POST /logout. A `request` is carried to the sign-in page, for whoever wants to go on as somebody else. */
@PageController('logout')
export class LogoutController {
  constructor(
    private readonly pages: Pages,
    private readonly sessions: BrowserSessions,
    private readonly csrf: Csrf,
  ) {}

  @Post()
  async leave(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    const session = await this.sessions.current(req);
    if (session) {
      this.csrf.require(req, form.get('csrf'), session.id, LOGOUT);
      await this.sessions.end(req, res);
    }
    this.pages.seeOther(res, '/login', { request: form.get('request') });
  }
}
