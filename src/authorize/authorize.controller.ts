import { Get, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { BrowserSessions } from '../accounts/browser-sessions.js';
import { auditRefusals } from '../audit/audit-refusals.js';
import { queryOf } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { AuthorizationFlow } from './authorization-flow.js';

@PageController('oauth/authorize')
export class AuthorizeController {
  constructor(
    private readonly flow: AuthorizationFlow,
    private readonly sessions: BrowserSessions,
    private readonly pages: Pages,
  ) {}

  /** RFC 6749 §4.1.1. Writes nothing: the request travels on, sealed, to the sign-in or the consent page (W34). */
  @Get()
  @UseInterceptors(auditRefusals(() => 'authorize.denied'))
  async authorize(@Req() req: Request, @Res() res: Response): Promise<void> {
    const begun = await this.flow.begin(req, res, queryOf(req));
    if (!begun) return;
    const signedIn = begun.request.prompt.includes('login') ? undefined : await this.sessions.current(req);
    this.pages.seeOther(res, signedIn ? '/consent' : '/login', { request: begun.sealed });
  }
}
