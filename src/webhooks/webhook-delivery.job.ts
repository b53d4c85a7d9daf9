import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { WEBHOOK_DELIVERY } from './notices.js';
import { WebhookDeliveries } from './webhook-deliveries.js';
import type { DeliveryKey } from './webhook-delivery.store.js';

/** Takes one message to one webhook. */
@Injectable()
export class WebhookDeliveryJob extends Job<DeliveryKey> {
  readonly name = WEBHOOK_DELIVERY;
  override readonly lane = 'outside';
  /** With the doubling pauses: for 23 hours. */
  override readonly attempts = 15;
  override readonly backoffMillis = 5_000;

  constructor(private readonly deliveries: WebhookDeliveries) {
    super();
  }

  run(key: DeliveryKey): Promise<void> {
    return this.deliveries.deliver(key);
  }

  override giveUp(key: DeliveryKey): Promise<void> {
    return this.deliveries.giveUp(key, 'attempts_over');
  }
}
