import { Injectable } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Job } from '../platform/queue/job.js';
import { JobQueue } from '../platform/queue/job-queue.js';
import { WEBHOOK_DELIVERY } from './notices.js';
import { WebhookDeliveries } from './webhook-deliveries.js';
import { WebhookDeliveryStore } from './webhook-delivery.store.js';

const MINUTE_MILLIS = 60_000;
/** Since when a message that nobody took is looked for, and since when that is for nothing: longer than all attempts take. */
const LATE_MILLIS = 5 * MINUTE_MILLIS;
const OVERDUE_MILLIS = 26 * 60 * MINUTE_MILLIS;
const BATCH = 1_000;

/** Tells the queue again of what is still to be delivered: one that lost nothing has it, by its key; one that did learns of it anew. */
@Injectable()
export class OverdueWebhooksJob extends Job {
  readonly name = 'overdue-webhooks';
  override readonly everyMillis = 10 * MINUTE_MILLIS;
  override readonly attempts = 1;

  constructor(
    private readonly store: WebhookDeliveryStore,
    private readonly deliveries: WebhookDeliveries,
    private readonly queue: JobQueue,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const now = this.clock.now().getTime();
    const isOver = ({ createdAt }: { createdAt: Date }): boolean => createdAt.getTime() < now - OVERDUE_MILLIS;
    for await (const late of this.store.open(new Date(now - LATE_MILLIS), BATCH)) {
      for (const delivery of late.filter(isOver)) await this.deliveries.giveUp(delivery, 'attempts_over');
      const jobs = late
        .filter((delivery) => !isOver(delivery))
        .map(({ id, webhook }) => ({ name: WEBHOOK_DELIVERY, key: `${id}_${webhook}`, data: { id, webhook } }));
      if (jobs.length > 0) await this.queue.add(jobs);
    }
  }
}
