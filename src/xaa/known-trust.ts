import { Injectable } from '@nestjs/common';
import { Trust } from './trust.js';
import { TrustStore } from './trust.store.js';

/** What operators trust, kept in memory for as long as its policy epoch lasts. */
@Injectable()
export class KnownTrust {
  #known: Trust | undefined;

  constructor(private readonly store: TrustStore) {}

  /**
   * As of now, never as remembered: a decision on it may make an account, which deciding again would not undo.
   *
   * @throws DatabaseAway
   */
  async current(): Promise<Trust> {
    const epoch = await this.store.epoch();
    if (this.#known?.epoch === epoch) return this.#known;
    const [idps, policies] = await Promise.all([this.store.idps(), this.store.policies()]);
    this.#known = new Trust(epoch, idps, policies);
    return this.#known;
  }
}
