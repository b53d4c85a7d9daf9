import { All, Header, HttpCode, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import type { Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { FormBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import type { TokenAnswer } from '../tokens/authorization.js';
import type { AssertionAnswer } from '../xaa/issued-assertion.js';
import { refusedAction, TokenEndpoint } from './token-endpoint.js';

/** Every spelling of the path; the usual one is answered in front of it, by `LeanTokenEndpoint`. */
@ProtocolController('oauth/token')
export class TokenController {
  constructor(private readonly endpoint: TokenEndpoint) {}

  /** RFC 6749 §3.2 */
  @Post()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @Header('Pragma', 'no-cache')
  @UseInterceptors(auditRefusals(refusedAction))
  token(@Req() req: Request, @FormBody() form: Form): Promise<TokenAnswer | AssertionAnswer> {
    return this.endpoint.answer(req, form);
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}
