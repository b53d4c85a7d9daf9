import { deriveKey } from '#libs/vault';

/** A secret key for each slot of time, the same in every process: what is made with it is recognised by all and stored by none. */
export abstract class SlotKeys {
  /**
   * @param slot number of the slot
   * @param lifetimeSeconds how long the key is of use at most; afterwards another may come in its place
   * @throws OAuthError `try-again` (503) or DatabaseAway when it cannot be known
   */
  abstract keyOf(slot: number, lifetimeSeconds: number): Promise<Buffer>;
}

/** Derived from the root secret that all processes have: used when there is no Redis. */
export class DerivedSlotKeys extends SlotKeys {
  readonly #root: Buffer;

  /** @param secret `session.secret` */
  constructor(secret: string) {
    super();
    this.#root = deriveKey(secret, 'slot-keys');
  }

  keyOf(slot: number): Promise<Buffer> {
    return Promise.resolve(deriveKey(this.#root, `slot-${slot}`));
  }
}
