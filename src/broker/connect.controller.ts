import { Get, Param, Post, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { required, type Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { ConnectAsking } from './connect-asking.js';
import { ConnectDecision, type Onward } from './connect-decision.js';
import { connectDonePage } from './connect-done.page.js';
import { ConnectPlans } from './connect-plan.js';
import { ConnectPurposes } from './connect-purposes.js';
import { ConnectResults } from './connect-results.js';

const AuditDenials = auditRefusals(() => 'connect.denied');

/** GET, POST /connect/{provider}, and its callback. */
@PageController('connect')
@UseInterceptors(AuditDenials)
export class ConnectController {
  constructor(
    private readonly purposes: ConnectPurposes,
    private readonly plans: ConnectPlans,
    private readonly asking: ConnectAsking,
    private readonly decision: ConnectDecision,
    private readonly results: ConnectResults,
    private readonly pages: Pages,
  ) {}

  /** Where a sign-in goes on to: it carries the request and cannot read it. */
  @Get()
  proceed(@Res() res: Response, @QueryForm() query: Form): void {
    const request = required(query, 'request');
    this.pages.seeOther(res, `/connect/${this.purposes.slugOf(request)}`, { request });
  }

  @Get(':slug')
  async ask(
    @Req() req: Request,
    @Res() res: Response,
    @Param('slug') slug: string,
    @QueryForm() query: Form,
  ): Promise<void> {
    const { sealed, purpose } = await this.purposes.of(slug, query);
    const session = await this.asking.sessionFor(req, res, sealed, purpose);
    if (!session) return;
    this.asking.ask(res, await this.plans.read(purpose, session.user.id), session, sealed);
  }

  @Post(':slug')
  async decide(
    @Req() req: Request,
    @Res() res: Response,
    @Param('slug') slug: string,
    @FormBody() form: Form,
  ): Promise<void> {
    const sealed = required(form, 'request');
    const purpose = this.purposes.open(sealed, slug);
    const session = await this.asking.sessionFor(req, res, sealed, purpose);
    if (!session) return;
    const plan = await this.plans.read(purpose, session.user.id);
    this.#onward(res, await this.decision.decide(plan, session, this.asking.answer(req, form, plan, session)));
  }

  @Get(':slug/callback')
  async arrive(
    @Req() req: Request,
    @Res() res: Response,
    @Param('slug') slug: string,
    @QueryForm() query: Form,
  ): Promise<void> {
    const { provider } = await this.plans.provider(slug);
    const session = await this.asking.current(req);
    const onward = await this.decision.arrive(provider, session, query);
    if ('to' in onward || !session) return this.#onward(res, onward);
    // Code and state are spent, and still nothing for an address bar.
    this.pages.seeOther(res, `/connect/${slug}/done`, { result: this.results.seal(session, onward.done) });
  }

  /** The last page, for whoever came back from the provider a moment ago. */
  @Get(':slug/done')
  async done(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    const session = await this.asking.current(req);
    const done = session && this.results.open(session, query.get('result') ?? '');
    if (done) this.pages.send(res, connectDonePage(done));
    else this.pages.seeOther(res, '/connections');
  }

  #onward(res: Response, onward: Onward): void {
    if ('to' in onward) this.pages.leave(res, onward.to);
    else this.pages.send(res, connectDonePage(onward.done));
  }
}
