import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import type { WebhookEvent } from '../config/webhook-settings.js';
import { Clock } from '../platform/clock/clock.js';
import { Outbox } from '../platform/outbox/outbox.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { noticeOf } from './audited-notices.js';
import { WebhookDeliveryStore } from './webhook-delivery.store.js';

/** The job; its key is the message and the webhook. */
export const WEBHOOK_DELIVERY = 'webhook-delivery';

export interface Notice {
  readonly type: WebhookEvent;
  /** Ids and facts by their wire names, never a secret or an e-mail address. */
  readonly data: Readonly<Record<string, unknown>>;
  /** Names what happened, where it may be told twice: it is one message then. Of A-Z a-z 0-9 _ -. */
  readonly id?: string;
  /** When it happened; now when absent. */
  readonly at?: Date;
}

/** What operators' webhooks are told, written in the transaction that makes it true. Without webhooks it costs nothing. */
@Injectable()
export class Notices {
  constructor(
    private readonly store: WebhookDeliveryStore,
    private readonly outbox: Outbox,
    private readonly config: Config,
    private readonly clock: Clock,
    audit: AuditLog,
  ) {
    audit.onRecorded(async (tx, facts) => {
      for (const notice of facts.map(noticeOf)) if (notice) await this.tell(tx, notice);
    });
  }

  async tell(tx: Transaction, { type, data, id, at }: Notice): Promise<void> {
    const now = this.clock.now();
    const webhooks = this.config.webhooks.filter(({ events }) => events.length === 0 || events.includes(type));
    if (webhooks.length === 0) return;
    const message = { id: id ?? uuid7(now), type, body: bodyOf(type, at ?? now, data), createdAt: now };
    for (const { name } of webhooks) {
      if (!(await this.store.insert(tx, { ...message, webhook: name }))) continue;
      await this.outbox.put(tx, WEBHOOK_DELIVERY, `${message.id}_${name}`, { id: message.id, webhook: name });
    }
  }
}

/** Written once: every attempt sends these bytes. */
export const bodyOf = (type: string, at: Date, data: object): string =>
  JSON.stringify({ type, timestamp: at.toISOString(), data });
