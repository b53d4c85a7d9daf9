import {
  Injectable,
  Logger,
  type BeforeApplicationShutdown,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { Reencryption } from './reencryption.js';

/** How soon a replica takes up what another one has left unfinished, or what failed. */
const LOOK_MILLIS = 30_000;

/** Carries re-encryption out in the background: after it was begun here, at boot, and when whoever did it is gone. */
@Injectable()
export class ReencryptionRuns implements OnApplicationBootstrap, OnModuleDestroy, BeforeApplicationShutdown {
  readonly #log = new Logger(ReencryptionRuns.name);
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #wanted = false;
  #stopped = false;

  constructor(private readonly reencryption: Reencryption) {}

  onApplicationBootstrap(): void {
    this.#timer = setInterval(() => this.wake(), LOOK_MILLIS).unref();
    this.wake();
  }

  onModuleDestroy(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  /** The step under way is finished: its rows are written, and the database is still there. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#running;
  }

  wake(): void {
    this.#wanted = true;
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
  }

  async #run(): Promise<void> {
    while (this.#wanted && !this.#stopped) {
      this.#wanted = false;
      await this.reencryption
        .run(() => this.#stopped)
        .catch((error: unknown) => this.#log.warn({ message: 're-encryption is interrupted', error: String(error) }));
    }
  }
}
