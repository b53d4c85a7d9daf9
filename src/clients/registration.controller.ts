import { All, Header, HttpCode, Post, UseInterceptors } from '@nestjs/common';
import { formatScope } from '#libs/oauth';
import { auditRefusals } from '../audit/audit-refusals.js';
import { JsonBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import type { ClientWithSecret } from './clients.js';
import { Registration } from './registration.js';

@ProtocolController('oauth/register')
export class RegistrationController {
  constructor(private readonly registration: Registration) {}

  /** RFC 7591 §3 */
  @Post()
  @HttpCode(201)
  @Header('Cache-Control', 'no-store')
  @Header('Pragma', 'no-cache')
  @UseInterceptors(auditRefusals(() => 'client.registration_denied'))
  async register(@JsonBody() body: unknown): Promise<object> {
    return toRegistered(await this.registration.register(body));
  }

  @All()
  otherMethods(): never {
    return postOnly();
  }
}

/** What was registered, which may be other than what was asked for (RFC 7591 §3.2.1). Secrets do not expire by themselves. */
function toRegistered({ client, secret }: ClientWithSecret): object {
  return {
    client_id: client.id,
    ...(secret === undefined ? {} : { client_secret: secret, client_secret_expires_at: 0 }),
    client_id_issued_at: Math.floor(client.createdAt.getTime() / 1000),
    client_name: client.name,
    redirect_uris: client.redirectUris,
    grant_types: client.grantTypes,
    response_types: client.responseTypes,
    token_endpoint_auth_method: client.tokenEndpointAuthMethod,
    application_type: client.applicationType,
    ...(client.scope.length === 0 ? {} : { scope: formatScope(client.scope) }),
    agent: client.agent,
    agent_description: client.agentDescription,
    ...(client.dpopBoundAccessTokens ? { dpop_bound_access_tokens: true } : {}),
  };
}
