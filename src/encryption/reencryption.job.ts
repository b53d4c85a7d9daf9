import { Injectable, type OnModuleDestroy } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { Reencryption } from './reencryption.js';
import { REENCRYPTION_JOB } from './reencryption.store.js';

const MINUTE_MILLIS = 60_000;

/**
 * Moves sealed values to the key in force: when an operator begins it, and every minute for as long as one is unfinished, so that it goes on
 * after whoever did it has died or Vault was away.
 */
@Injectable()
export class ReencryptionJob extends Job implements OnModuleDestroy {
  readonly name = REENCRYPTION_JOB;
  override readonly everyMillis = MINUTE_MILLIS;
  override readonly attempts = 1;
  #stopped = false;

  constructor(private readonly reencryption: Reencryption) {
    super();
  }

  run(): Promise<void> {
    return this.reencryption.run(() => this.#stopped);
  }

  /** The worker waits for the step under way; the others are for whoever comes next. */
  onModuleDestroy(): void {
    this.#stopped = true;
  }
}
