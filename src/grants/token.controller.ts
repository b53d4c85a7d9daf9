import { All, Header, HttpCode, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import { grantType, type Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { FormBody, formOf } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import type { TokenAnswer } from '../tokens/authorization.js';
import { TokenEndpoint } from './token-endpoint.js';

const REFUSED_ACTIONS: ReadonlyMap<string | undefined, string> = new Map([
  [grantType.clientCredentials, 'client_credentials.denied'],
  [grantType.refreshToken, 'token.refresh_denied'],
  [grantType.tokenExchange, 'token.exchange_denied'],
]);

const refusedAction = (req: Request): string =>
  REFUSED_ACTIONS.get(formOf(req)?.get('grant_type')) ?? 'token.issue_denied';

@ProtocolController('oauth/token')
export class TokenController {
  constructor(private readonly endpoint: TokenEndpoint) {}

  /** RFC 6749 §3.2 */
  @Post()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @Header('Pragma', 'no-cache')
  @UseInterceptors(auditRefusals(refusedAction))
  token(@Req() req: Request, @FormBody() form: Form): Promise<TokenAnswer> {
    return this.endpoint.answer(req, form);
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}
