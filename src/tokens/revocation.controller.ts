import { All, Header, HttpCode, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import { required, type Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { ClientAuthenticator } from '../clients/client-authenticator.js';
import { FormBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import { ClientRevocation } from './client-revocation.js';

@ProtocolController('oauth/revoke')
export class RevocationController {
  constructor(
    private readonly authenticator: ClientAuthenticator,
    private readonly revocation: ClientRevocation,
  ) {}

  /** RFC 7009 §2. 200 for every token, also for one that is unknown or another's; 503 while the database is away. */
  @Post()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @UseInterceptors(auditRefusals(() => 'token.revoke_denied'))
  async revoke(@Req() req: Request, @FormBody() form: Form): Promise<void> {
    const client = await this.authenticator.authenticate(req, form);
    await this.revocation.revoke(required(form, 'token'), client);
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}
