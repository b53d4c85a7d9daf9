import { All, Header, HttpCode, Post, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, required, type Form } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { ClientAuthenticator } from '../clients/client-authenticator.js';
import { FormBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import { secondsSince } from '../platform/telemetry/metric.js';
import { introspectionDuration, introspections } from '../platform/telemetry/protocol-metrics.js';
import { Introspector, type Introspection } from './introspector.js';

@ProtocolController('oauth/introspect')
export class IntrospectionController {
  constructor(
    private readonly authenticator: ClientAuthenticator,
    private readonly introspector: Introspector,
  ) {}

  /** RFC 7662 §2.1. Confidential clients only: a public one cannot prove who is asking. */
  @Post()
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  @UseInterceptors(auditRefusals(() => 'token.introspect_denied'))
  async introspect(@Req() req: Request, @FormBody() form: Form): Promise<Introspection> {
    const caller = await this.authenticator.authenticate(req, form);
    if (caller.tokenEndpointAuthMethod === 'none') {
      throw new OAuthError('client-authentication-failed', 'credentials_missing', { facts: { clientId: caller.id } });
    }
    const startedAt = performance.now();
    const answer = await this.introspector.introspect(required(form, 'token'), caller);
    introspectionDuration.observe(secondsSince(startedAt));
    introspections.inc({ active: String(answer.active) });
    return answer;
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}
