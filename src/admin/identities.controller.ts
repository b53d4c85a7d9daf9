import { Body, Delete, Get, HttpCode, Post } from '@nestjs/common';
import { IdentityLinks } from '../accounts/identity-links.js';
import { Issuances } from '../tokens/issuances.js';
import { IdentityName, toIdentityView } from './identity.dto.js';
import { OperatorController } from './operator-controller.js';
import { UserId } from './path-id.js';
import { notFound } from './problem.js';

/** Who a user is at identity providers. A subject holds any characters, so that it stands in bodies and never in a path. */
@OperatorController('users/:id/identities')
export class IdentitiesController {
  constructor(
    private readonly links: IdentityLinks,
    private readonly issuances: Issuances,
  ) {}

  @Get()
  async list(@UserId() id: string): Promise<object> {
    const identities = await this.links.of(id);
    if (!identities) throw notFound('user');
    return { identities: identities.map(toIdentityView) };
  }

  @Post()
  async link(@UserId() id: string, @Body() { issuer, subject }: IdentityName): Promise<object> {
    if (!(await this.links.link(id, issuer, subject))) throw notFound('user');
    return { issuer, subject };
  }

  @Delete()
  @HttpCode(204)
  async unlink(@UserId() id: string, @Body() { issuer, subject }: IdentityName): Promise<void> {
    if (!(await this.links.unlink(id, issuer, subject, this.issuances.endingTokens))) throw notFound('identity');
  }
}
