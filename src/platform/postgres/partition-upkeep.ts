import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import { Database } from './database.js';
import { ensurePartitions } from './partitions.js';

const DAY_MILLIS = 86_400_000;

/** Keeps partitions ahead of the clock, from boot on and daily. A failure costs nothing for days, and is logged. */
@Injectable()
export class PartitionUpkeep implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger(PartitionUpkeep.name);
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly database: Database,
    private readonly clock: Clock,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    this.#timer = setInterval(() => void this.run(), DAY_MILLIS).unref();
    await this.run();
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  async run(): Promise<void> {
    try {
      const { leftToDefault } = await ensurePartitions((text) => this.database.query(text), this.clock.now());
      if (leftToDefault.length > 0) this.#log.warn({ message: 'days left to the DEFAULT partition', leftToDefault });
    } catch (error) {
      this.#log.error({ message: 'partitions could not be made ahead', error: String(error) });
    }
  }
}
