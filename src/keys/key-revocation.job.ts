import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { Notices } from '../webhooks/notices.js';
import { SigningKeyStore } from './signing-key.store.js';

export interface RevokedKey {
  /** The `kid`. */
  readonly id: string;
  readonly reason: string;
  readonly at: string;
}

/** Tells the outside that a signing key is gone, whoever took it back; a resource server that caches the JWKS may fetch it anew. */
@Injectable()
export class KeyRevocationJob extends Job<RevokedKey> {
  readonly name = 'key-revocation';
  /** For an hour: what it waits for is the database. */
  override readonly attempts = 10;
  override readonly backoffMillis = 5_000;

  constructor(
    private readonly store: SigningKeyStore,
    private readonly notices: Notices,
  ) {
    super();
  }

  async run({ id: kid, reason, at }: RevokedKey): Promise<void> {
    await this.store.transaction((tx) =>
      this.notices.tell(tx, { type: 'signing_key.revoked', id: `key_${kid}`, at: new Date(at), data: { kid, reason } }),
    );
  }
}
