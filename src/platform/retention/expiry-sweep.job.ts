import { Injectable, Logger } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { Clock } from '../clock/clock.js';
import { Database } from '../postgres/database.js';
import { Job } from '../queue/job.js';
import { sweep, type Run } from './expired-rows.js';

const HOUR_MILLIS = 3_600_000;

/** Frees what has expired, on one replica at a time. */
@Injectable()
export class ExpirySweepJob extends Job {
  readonly name = 'expiry-sweep';
  override readonly everyMillis = HOUR_MILLIS;
  override readonly attempts = 1;
  readonly #log = new Logger(ExpirySweepJob.name);

  constructor(
    private readonly config: Config,
    private readonly database: Database,
    private readonly clock: Clock,
  ) {
    super();
  }

  async run(): Promise<void> {
    const run: Run = (text, values) => this.database.query(text, values);
    const swept = await sweep(run, this.clock.now(), this.config.retention);
    this.#log.log({ message: 'swept what has expired', ...swept });
  }
}
