import { Get } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { AuditSeals } from '../audit/audit-seals.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { AuditWindow, ListAudit, toAuditEventView, toVerificationView } from './audit.dto.js';
import { pageOf, readPage } from './list.dto.js';
import { OperatorController } from './operator-controller.js';
import { invalidRequest } from './problem.js';
import { QueryParameters } from './query-parameters.js';

@OperatorController('audit')
export class AuditController {
  constructor(
    private readonly audit: AuditLog,
    private readonly seals: AuditSeals,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /** Newest first. */
  @Get()
  async list(@QueryParameters() query: ListAudit): Promise<object> {
    const { rows, nextCursor } = await readPage(query, (limit) =>
      this.audit.list({
        action: query.action,
        actorId: query.actor_id,
        clientId: query.client_id,
        requestId: query.request_id,
        ...this.#boundedWindow(query),
        cursor: query.cursor,
        offset: query.offset,
        limit,
      }),
    );
    return pageOf('events', rows.map(toAuditEventView), nextCursor);
  }

  /** Whether the events of a time, however long ago, are still those that were sealed. */
  @Get('verification')
  async verify(@QueryParameters() query: AuditWindow): Promise<object> {
    const { since, until } = this.#window(query);
    return toVerificationView(await this.seals.verify(since, until));
  }

  #boundedWindow(query: ListAudit): { since: Date; until: Date } {
    const { auditMaxLookbackSeconds } = this.config.admin;
    const window = this.#window(query);
    if (window.since.getTime() < this.clock.now().getTime() - auditMaxLookbackSeconds * 1000) {
      throw invalidRequest(`since must be at most ${auditMaxLookbackSeconds} seconds ago (admin.audit_max_lookback)`);
    }
    return window;
  }

  #window({ since, until }: AuditWindow): { since: Date; until: Date } {
    const now = this.clock.now().getTime();
    const from =
      since === undefined ? now - this.config.admin.auditDefaultLookbackSeconds * 1000 : requireTime('since', since);
    return { since: new Date(from), until: new Date(until === undefined ? now : requireTime('until', until)) };
  }
}

/** RFC 3339 allows days that do not exist, and years that an id cannot carry. */
function requireTime(member: string, text: string): number {
  const time = Date.parse(text);
  if (!(time >= 0)) throw invalidRequest(`${member} is not a time`);
  return time;
}
