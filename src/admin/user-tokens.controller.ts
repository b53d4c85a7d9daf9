import { Delete, Get } from '@nestjs/common';
import { Users } from '../accounts/users.js';
import { ConnectionViews } from '../broker/connection-views.js';
import { Consents } from '../consents/consents.js';
import { Issuances } from '../tokens/issuances.js';
import { toConnectionView } from './connection.dto.js';
import { toConsentView } from './consent.dto.js';
import { OperatorController } from './operator-controller.js';
import { UserId } from './path-id.js';
import { notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';
import { ListOfTokens, toFamilyView } from './token.dto.js';

/** What applications have from one person. */
@OperatorController('users/:id')
export class UserTokensController {
  constructor(
    private readonly users: Users,
    private readonly issuances: Issuances,
    private readonly consents: Consents,
    private readonly connections: ConnectionViews,
  ) {}

  @Get('tokens')
  async tokens(@UserId() id: string, @QueryParameters() { limit, offset }: ListOfTokens): Promise<object> {
    await this.#requireUser(id);
    return { tokens: (await this.issuances.families({ userId: id }, limit, offset)).map(toFamilyView) };
  }

  /** Force logout: browser sessions and everything issued, in one commit, so that nothing slips through between them. */
  @Delete('tokens')
  async forceLogout(@UserId() id: string): Promise<object> {
    const revoked = await this.users.signOut(id, (tx) => this.issuances.revokeFamiliesOfUser(tx, id));
    if (revoked === undefined) throw notFound('user');
    return { revoked };
  }

  @Get('grants')
  async grants(@UserId() id: string): Promise<object> {
    await this.#requireUser(id);
    const [consents, connections] = await Promise.all([
      this.consents.historyOfUser(id),
      this.connections.historyOfUser(id),
    ]);
    return { consent_grants: consents.map(toConsentView), broker_grants: connections.map(toConnectionView) };
  }

  async #requireUser(id: string): Promise<void> {
    if (!(await this.users.find(id))) throw notFound('user');
  }
}
