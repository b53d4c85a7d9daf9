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
        ...this.#window(query),
        cursor: query.cursor,
        offset: query.offset,
        limit,
      }),
    );
    return pageOf('events', rows.map(toAuditEventView), nextCursor);
  }

  /** Whether the events of a time, however long ago, are still those that were sealed. */
  @Get('verification')
  async verify(@QueryParameters() { since, until }: AuditWindow): Promise<object> {
    const { auditDefaultLookbackSeconds } = this.config.admin;
    const now = this.clock.now().getTime();
    const from = since === undefined ? now - auditDefaultLookbackSeconds * 1000 : requireTime('since', since);
    const to = until === undefined ? now : requireTime('until', until);
    return toVerificationView(await this.seals.verify(new Date(from), new Date(Math.min(to, now))));
  }

  #window({ since, until }: ListAudit): { since: Date; until: Date } {
    const { auditDefaultLookbackSeconds, auditMaxLookbackSeconds } = this.config.admin;
    const now = this.clock.now().getTime();
    const from = since === undefined ? now - auditDefaultLookbackSeconds * 1000 : requireTime('since', since);
    if (from < now - auditMaxLookbackSeconds * 1000) {
      throw invalidRequest(`since must be at most ${auditMaxLookbackSeconds} seconds ago (admin.audit_max_lookback)`);
    }
    return { since: new Date(from), until: new Date(until === undefined ? now : requireTime('until', until)) };
  }
}

/** RFC 3339 allows days that do not exist, and years that an id cannot carry. */
function requireTime(member: string, text: string): number {
  const time = Date.parse(text);
  if (!(time >= 0)) throw invalidRequest(`${member} is not a time`);
  return time;
}
