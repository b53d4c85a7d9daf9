import { Injectable } from '@nestjs/common';
import { Config } from '../config/config.js';
import type { WebhookEvent } from '../config/webhook-settings.js';
import { Clock } from '../platform/clock/clock.js';
import { Job } from '../platform/queue/job.js';
import { JobQueue } from '../platform/queue/job-queue.js';
import { UntoldRevocationStore, type ToldKind } from './untold-revocation.store.js';

const MINUTE_MILLIS = 60_000;
/** Since when a revocation that is no message yet is looked for, and since when that is too long ago to tell. */
const LATE_MILLIS = 5 * MINUTE_MILLIS;
const OVER_MILLIS = 26 * 60 * MINUTE_MILLIS;

const eventOf: Readonly<Record<ToldKind, WebhookEvent>> = {
  family: 'family.revoked',
  consent: 'consent.revoked',
  key: 'signing_key.revoked',
};

/**
 * Finds revocations that a queue lost on the way from the outbox to the messages. Those of which nobody is told (a consent that another
 * took the place of) are found too, and come to nothing once more.
 */
@Injectable()
export class UntoldRevocationsJob extends Job {
  readonly name = 'untold-revocations';
  override readonly everyMillis = 10 * MINUTE_MILLIS;
  override readonly attempts = 1;

  constructor(
    private readonly store: UntoldRevocationStore,
    private readonly queue: JobQueue,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const wanted = (event: WebhookEvent): boolean =>
      this.config.webhooks.some(({ events }) => events.length === 0 || events.includes(event));
    const kinds = (Object.keys(eventOf) as ToldKind[]).filter((kind) => wanted(eventOf[kind]));
    if (kinds.length === 0) return;
    const now = this.clock.now().getTime();
    for await (const batch of this.store.between(kinds, new Date(now - OVER_MILLIS), new Date(now - LATE_MILLIS)))
      await this.queue.add(
        batch.map(({ kind, id, reason, at }) => ({ name: `${kind}-revocation`, key: id, data: { id, reason, at } })),
      );
  }
}
