import { All, Delete, Get, Header, HttpCode, Param, Put, Req, UseInterceptors } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { Config } from '../config/config.js';
import { JsonBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { toRegistered } from './registered-view.js';
import { RegistrationManagement, type ManagedClient } from './registration-management.js';

@ProtocolController('oauth/register/:id')
@UseInterceptors(auditRefusals(() => 'client.registration_denied'))
export class RegistrationManagementController {
  constructor(
    private readonly management: RegistrationManagement,
    private readonly config: Config,
  ) {}

  /** RFC 7592 §2.1 */
  @Get()
  @Header('Cache-Control', 'no-store')
  async read(@Req() req: Request, @Param('id') id: string): Promise<object> {
    return this.#view(await this.management.managed(req, id));
  }

  /** RFC 7592 §2.2. The token stays as it is. */
  @Put()
  @Header('Cache-Control', 'no-store')
  async replace(@Req() req: Request, @Param('id') id: string, @JsonBody() body: unknown): Promise<object> {
    return this.#view(await this.management.replace(await this.management.managed(req, id), body));
  }

  /** RFC 7592 §2.3 */
  @Delete()
  @HttpCode(204)
  @Header('Cache-Control', 'no-store')
  async delete(@Req() req: Request, @Param('id') id: string): Promise<void> {
    await this.management.delete(await this.management.managed(req, id));
  }

  @All()
  otherMethods(): never {
    if (!this.config.dcr.management) throw new OAuthError('not-found', 'not_found');
    throw new OAuthError('method-not-allowed', 'method_not_allowed', {
      fill: { allowed: 'GET, PUT, DELETE' },
      headers: { Allow: 'GET, PUT, DELETE' },
    });
  }

  #view({ client, registrationToken }: ManagedClient): object {
    return toRegistered(client, { registrationToken }, this.config.server.issuer);
  }
}
