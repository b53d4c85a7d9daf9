import { Get, Param, Post, Req, Res, UseInterceptors } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { FormBody, QueryForm } from '../platform/http/body.js';
import { PageController } from '../platform/http/listeners.js';
import { Pages } from '../platform/http/page.js';
import { Federation, type Beginning } from './federation.js';
import { DEFAULT_PROVIDER, type IdentityProvider } from './identity-provider.js';
import { IdentityProviders } from './identity-providers.js';
import { goalOf } from './sign-in-goal.js';

const AuditFailures = auditRefusals(() => 'user.oidc_login_failed');

/**
 * GET /oidc/start and /oidc/callback, the same below /oidc/{slug}, and POST /oidc/by-email.
 *
 * To begin proves nothing and stores nothing, so that any page may lead here; `request` is carried through as by /login.
 */
@PageController('oidc')
@UseInterceptors(AuditFailures)
export class OidcController {
  constructor(
    private readonly providers: IdentityProviders,
    private readonly federation: Federation,
    private readonly pages: Pages,
  ) {}

  @Get('start')
  async startDefault(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    await this.#start(req, res, await this.#find(DEFAULT_PROVIDER), { request: query.get('request') });
  }

  @Get('callback')
  arriveDefault(@Req() req: Request, @Res() res: Response, @QueryForm() query: Form): Promise<void> {
    return this.#arrive(req, res, DEFAULT_PROVIDER, query);
  }

  /** An address goes in a body: it has no business in the logs of proxies. */
  @Post('by-email')
  async byEmail(@Req() req: Request, @Res() res: Response, @FormBody() form: Form): Promise<void> {
    const [email, request] = [form.get('email') ?? '', form.get('request')];
    const provider = await this.providers.forEmail(email);
    if (!provider) throw new OAuthError('sign-in-provider-unknown', 'email_domain_unknown');
    await this.#start(req, res, provider, { request, email });
  }

  @Get(':slug/start')
  async start(
    @Req() req: Request,
    @Res() res: Response,
    @Param('slug') slug: string,
    @QueryForm() query: Form,
  ): Promise<void> {
    await this.#start(req, res, await this.#find(slug), { request: query.get('request') });
  }

  @Get(':slug/callback')
  arrive(
    @Req() req: Request,
    @Res() res: Response,
    @Param('slug') slug: string,
    @QueryForm() query: Form,
  ): Promise<void> {
    return this.#arrive(req, res, slug, query);
  }

  async #start(req: Request, res: Response, provider: IdentityProvider, from: Beginning): Promise<void> {
    this.pages.leave(res, await this.federation.begin(req, res, provider, from));
  }

  async #arrive(req: Request, res: Response, slug: string, query: Form): Promise<void> {
    const parameters = new URLSearchParams([...query]);
    const request = await this.federation.finish(req, res, await this.#find(slug), parameters);
    this.pages.seeOther(res, goalOf(request), { request });
  }

  async #find(slug: string): Promise<IdentityProvider> {
    const provider = await this.providers.find(slug);
    if (provider) return provider;
    throw new OAuthError('sign-in-provider-unknown', 'identity_provider_unknown');
  }
}
