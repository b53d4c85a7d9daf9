import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { sameBytes } from '#libs/oauth';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { SlotKeys } from '../platform/ephemeral/slot-keys.js';

/**
 * Server nonces (RFC 9449 §8): the MAC of a slot of time, so that every replica accepts them and none is stored. With Redis, one
 * that is live was made since that Redis last forgot (P5).
 */
@Injectable()
export class Nonces {
  constructor(
    private readonly keys: SlotKeys,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** @throws OAuthError `try-again`, DatabaseAway */
  current(): Promise<string> {
    return this.#of(this.#slot());
  }

  /** That of the current slot or of the one before (W43). @throws as `current` */
  async isLive(nonce: string): Promise<boolean> {
    const slot = this.#slot();
    const live = await Promise.all([this.#of(slot), this.#of(slot - 1)]);
    return live.some((known) => sameBytes(Buffer.from(known), Buffer.from(nonce)));
  }

  #slot(): number {
    return Math.floor(this.clock.now().getTime() / 1000 / this.config.dpop.nonceTtlSeconds);
  }

  async #of(slot: number): Promise<string> {
    const key = await this.keys.keyOf(slot, 3 * this.config.dpop.nonceTtlSeconds);
    return createHmac('sha256', key).update(`dpop-nonce ${slot}`).digest('base64url');
  }
}
