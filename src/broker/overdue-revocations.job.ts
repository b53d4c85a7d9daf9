import { Injectable } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Job } from '../platform/queue/job.js';
import { ConnectionStore } from './connection.store.js';
import { UpstreamRevocationJob } from './upstream-revocation.job.js';

const HOUR_MILLIS = 3_600_000;
/** Longer than the attempts of the job take. */
const OVERDUE_MILLIS = 12 * HOUR_MILLIS;
const BATCH = 100;

/**
 * Ends what the job of a connection did not end: a queue lost it, or a process died between its last attempt and giving up. Upstream is
 * told once more; then the credential is forgotten, whatever it says.
 */
@Injectable()
export class OverdueRevocationsJob extends Job {
  readonly name = 'overdue-revocations';
  override readonly everyMillis = HOUR_MILLIS;
  override readonly attempts = 1;

  constructor(
    private readonly store: ConnectionStore,
    private readonly revocation: UpstreamRevocationJob,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const before = new Date(this.clock.now().getTime() - OVERDUE_MILLIS);
    for (const connection of await this.store.overdue(before, BATCH))
      await this.revocation.run({ connection }).catch(() => this.revocation.giveUp({ connection }));
  }
}
