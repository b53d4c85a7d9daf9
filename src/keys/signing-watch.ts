import { Injectable, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { Dependencies } from '../platform/health/dependencies.js';
import { RememberedState } from '../platform/health/remembered-state.js';
import { KeyStores } from './key-stores.js';
import { SigningKeys } from './signing-keys.js';

/** Where Vault signs: keeps its token alive while nobody asks for anything, and tells readiness whether tokens can be signed. */
@Injectable()
export class SigningWatch implements OnModuleInit, BeforeApplicationShutdown {
  #stop: (() => void) | undefined;

  constructor(
    private readonly stores: KeyStores,
    private readonly keys: SigningKeys,
    private readonly dependencies: Dependencies,
    private readonly clock: Clock,
  ) {}

  onModuleInit(): void {
    const { login } = this.stores;
    if (!login) return;
    const signing = new RememberedState(this.clock, () => this.keys.trySigning());
    this.dependencies.add('signing', () => signing.state());
    this.#stop = login.keepAliveRegularly();
  }

  beforeApplicationShutdown(): void {
    this.#stop?.();
  }
}
