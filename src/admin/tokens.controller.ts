import { Delete, Get, HttpCode, Param } from '@nestjs/common';
import { Issuances } from '../tokens/issuances.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { invalidRequest, notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import { ListTokens, toFamilyView } from './token.dto.js';

/** What is in use: families of a person or a client. */
@OperatorController('tokens')
export class TokensController {
  constructor(private readonly issuances: Issuances) {}

  @Get()
  async list(@QueryParameters() { client_id: clientId, user_id: userId, limit, offset }: ListTokens): Promise<object> {
    if (clientId === undefined && userId === undefined)
      throw invalidRequest('one of client_id and user_id is required');
    return { tokens: (await this.issuances.families({ clientId, userId }, limit, offset)).map(toFamilyView) };
  }

  /** @param id of a family, or the jti of one access token */
  @Delete(':id')
  @HttpCode(204)
  async revoke(@Param('id', new UuidOf('token')) id: string): Promise<void> {
    const revoked = (await this.issuances.revokeFamily(id)) || (await this.issuances.revoke(id));
    if (!revoked) throw notFound('token');
  }
}
