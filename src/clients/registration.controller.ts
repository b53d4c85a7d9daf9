import { All, Header, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { auditRefusals } from '../audit/audit-refusals.js';
import { Config } from '../config/config.js';
import { JsonBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import { toRegistered } from './registered-view.js';
import { Registration } from './registration.js';

@ProtocolController('oauth/register')
export class RegistrationController {
  constructor(
    private readonly registration: Registration,
    private readonly config: Config,
  ) {}

  /** RFC 7591 §3 */
  @Post()
  @HttpCode(201)
  @Header('Cache-Control', 'no-store')
  @Header('Pragma', 'no-cache')
  @UseInterceptors(auditRefusals(() => 'client.registration_denied'))
  async register(@JsonBody() body: unknown): Promise<object> {
    const { client, ...secrets } = await this.registration.register(body);
    return toRegistered(client, secrets, this.config.server.issuer);
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}
