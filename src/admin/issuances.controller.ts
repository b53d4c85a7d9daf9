import { Delete, Get, HttpCode, Param } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Issuances } from '../tokens/issuances.js';
import { requireDuration } from './duration.js';
import { ListIssuances, toIssuanceView } from './issuance.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { invalidRequest, notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';

const maxLookbackSeconds = 30 * 24 * 60 * 60;
/** Says that the window has no beginning. */
const zeroTime = '0001-01-01T00:00:00Z';
const IssuanceId = (): ParameterDecorator => Param('id', new UuidOf('issuance'));

@OperatorController('issuances')
export class IssuancesController {
  constructor(
    private readonly issuances: Issuances,
    private readonly clock: Clock,
  ) {}

  @Get()
  async list(@QueryParameters() query: ListIssuances): Promise<object> {
    const { user: userId, client: clientId, resource: resourceId, jti, limit = 500 } = query;
    if (!(userId ?? clientId ?? resourceId ?? jti)) {
      throw invalidRequest('at least one of user, client, resource and jti is required');
    }
    const lookback = requireDuration('since', query.since ?? '24h', maxLookbackSeconds);
    const since = new Date(this.clock.now().getTime() - lookback * 1000);
    const found = await this.issuances.list({ userId, clientId, resourceId, jti }, since, limit);
    return {
      issuances: found.map((issuance) => toIssuanceView(issuance, this.issuances.kindOf(issuance))),
      since: jti === undefined ? since.toISOString() : zeroTime,
      count: found.length,
    };
  }

  @Get(':id')
  async get(@IssuanceId() id: string): Promise<object> {
    const issuance = await this.issuances.get(id);
    if (!issuance) throw notFound('issuance');
    return toIssuanceView(issuance, this.issuances.kindOf(issuance));
  }

  @Delete(':id')
  @HttpCode(204)
  async revoke(@IssuanceId() id: string): Promise<void> {
    if (!(await this.issuances.revoke(id))) throw notFound('issuance');
  }
}
