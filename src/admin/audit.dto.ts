import { applyDecorators } from '@nestjs/common';
import { IsRFC3339 } from 'class-validator';
import type { AuditEvent } from '../audit/audit-log.js';
import type { Verification } from '../audit/audit-seals.js';
import { UuidPageQuery } from './list.dto.js';
import { IsText, MayBeAbsent } from './member-checks.js';

const IsMoment = (): PropertyDecorator => applyDecorators(MayBeAbsent(), IsRFC3339());

export class ListAudit extends UuidPageQuery {
  @MayBeAbsent()
  @IsText(100)
  action?: string;

  @MayBeAbsent()
  @IsText(2048)
  actor_id?: string;

  @MayBeAbsent()
  @IsText(2048)
  client_id?: string;

  @MayBeAbsent()
  @IsText(100)
  request_id?: string;

  /** RFC 3339; the default is `admin.audit_default_lookback` ago. */
  @IsMoment()
  since?: string;

  /** RFC 3339; the default is now. */
  @IsMoment()
  until?: string;
}

export class AuditWindow {
  /** RFC 3339; the default is `admin.audit_default_lookback` ago. */
  @IsMoment()
  since?: string;

  /** RFC 3339; the default is now. */
  @IsMoment()
  until?: string;
}

export const toVerificationView = ({ verified, dropped, last, problems }: Verification) => ({
  hours_verified: verified,
  hours_dropped: dropped,
  last_hour: last?.hour.toISOString(),
  last_seal: last?.hash.toString('hex'),
  problems: problems.map(({ hour, problem }) => ({ hour: hour.toISOString(), problem })),
});

export const toAuditEventView = (event: AuditEvent) => ({
  id: event.id,
  action: event.action,
  reason: event.reason,
  actor_id: event.actorId ?? '',
  client_id: event.clientId ?? '',
  ip: event.ip ?? '',
  detail: event.detail ?? {},
  request_id: event.requestId,
  created_at: event.createdAt.toISOString(),
});
