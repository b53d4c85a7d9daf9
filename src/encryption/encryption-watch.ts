import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Dependencies } from '../platform/health/dependencies.js';
import { RememberedState } from '../platform/health/remembered-state.js';
import { Drivers } from './drivers.js';

/** Keeps the token of Vault alive while nobody asks for anything, and tells readiness whether values can be sealed. */
@Injectable()
export class EncryptionWatch implements OnModuleInit, BeforeApplicationShutdown {
  #stop: (() => void) | undefined;

  constructor(
    private readonly drivers: Drivers,
    private readonly dependencies: Dependencies,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const { encryption, login } = this.drivers;
    const sealing = new RememberedState(this.clock, () => encryption.keyInForce());
    if (encryption.driver !== 'none') this.dependencies.add('encryption', () => sealing.state());
    this.#stop = login?.keepAliveRegularly();
  }

  beforeApplicationShutdown(): void {
    this.#stop?.();
  }
}
