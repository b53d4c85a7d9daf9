import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Dependencies, type DependencyState } from '../platform/health/dependencies.js';
import { Drivers } from './drivers.js';

const KEEP_ALIVE_MILLIS = 5_000;
/** How long readiness takes the last answer: anybody may ask for it, and each answer costs a call of Vault. */
const REMEMBERED_MILLIS = 5_000;

/** Keeps the token of Vault alive while nobody asks for anything, and tells readiness whether values can be sealed. */
@Injectable()
export class EncryptionWatch implements OnModuleInit, BeforeApplicationShutdown {
  #timer: NodeJS.Timeout | undefined;
  #asked: { readonly at: number; readonly state: Promise<DependencyState> } | undefined;

  constructor(
    private readonly drivers: Drivers,
    private readonly dependencies: Dependencies,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const { encryption, login } = this.drivers;
    if (encryption.driver !== 'none') this.dependencies.add('encryption', () => this.state());
    if (!login) return;
    this.#timer = setInterval(() => void login.keepAlive(), KEEP_ALIVE_MILLIS).unref();
    void login.keepAlive();
  }

  beforeApplicationShutdown(): void {
    clearInterval(this.#timer);
  }

  state(): Promise<DependencyState> {
    const now = this.clock.now().getTime();
    if (!this.#asked || Math.abs(now - this.#asked.at) >= REMEMBERED_MILLIS) {
      const state = this.drivers.encryption.keyInForce().then(
        () => 'ok' as const,
        () => 'down' as const,
      );
      this.#asked = { at: now, state };
    }
    return this.#asked.state;
  }
}
