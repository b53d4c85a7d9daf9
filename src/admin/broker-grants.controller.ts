import { Delete, Get, HttpCode, Param } from '@nestjs/common';
import { ConnectionViews } from '../broker/connection-views.js';
import { Connections } from '../broker/connections.js';
import { ListConnections, toConnectionView } from './connection.dto.js';
import { pageOf, readPage } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { UuidOf } from './path-id.js';
import { notFound } from './problem.js';
import { QueryParameters } from './query-parameters.js';

/** People's accounts at upstream providers, and how they are. */
@OperatorController()
export class BrokerGrantsController {
  constructor(
    private readonly views: ConnectionViews,
    private readonly connections: Connections,
  ) {}

  @Get('connections')
  async list(@QueryParameters() query: ListConnections): Promise<object> {
    const { user_id: userId, provider, status, cursor, offset } = query;
    const { rows, nextCursor } = await readPage(query, (limit) =>
      this.views.list({ userId, provider, status, cursor, offset, limit }),
    );
    return pageOf('connections', rows.map(toConnectionView), nextCursor);
  }

  /** No vend stands on it any more, and upstream is told. */
  @Delete('grants/broker/:id')
  @HttpCode(204)
  async revoke(@Param('id', new UuidOf('connection')) id: string): Promise<void> {
    if (!(await this.connections.revokeById(id))) throw notFound('connection');
  }
}
