import { All, Header, HttpCode, Param, Post, UseInterceptors } from '@nestjs/common';
import { BackchannelLogout } from '../accounts/backchannel-logout.js';
import { DEFAULT_PROVIDER } from '../accounts/identity-provider.js';
import { auditRefusals } from '../audit/audit-refusals.js';
import { required, type Form } from '#libs/oauth';
import { FormBody } from '../platform/http/body.js';
import { ProtocolController } from '../platform/http/listeners.js';
import { postOnly } from '../platform/http/post-only.js';
import { Issuances } from '../tokens/issuances.js';

const AuditRefused = auditRefusals(() => 'user.backchannel_logout_refused');

/**
 * POST /oidc/backchannel-logout, and the same below /oidc/{slug}: an identity provider tells of a sign-out there. It has no browser and
 * no credential of ours; the signed token in the body is all there is to believe.
 */
@ProtocolController('oidc')
@UseInterceptors(AuditRefused)
export class BackchannelLogoutController {
  constructor(
    private readonly logout: BackchannelLogout,
    private readonly issuances: Issuances,
  ) {}

  @Post('backchannel-logout')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  endAtDefault(@FormBody() form: Form): Promise<void> {
    return this.#end(DEFAULT_PROVIDER, form);
  }

  @Post(':slug/backchannel-logout')
  @HttpCode(200)
  @Header('Cache-Control', 'no-store')
  end(@Param('slug') slug: string, @FormBody() form: Form): Promise<void> {
    return this.#end(slug, form);
  }

  @All(['backchannel-logout', ':slug/backchannel-logout'])
  otherMethods(): never {
    return postOnly();
  }

  #end(slug: string, form: Form): Promise<void> {
    return this.logout.end(slug, required(form, 'logout_token'), (tx, userId) =>
      this.issuances.revokeFamiliesOfUser(tx, userId, 'upstream_logout'),
    );
  }
}
