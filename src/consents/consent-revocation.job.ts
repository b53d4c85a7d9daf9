import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { Notices } from '../webhooks/notices.js';
import { ConsentStore } from './consent.store.js';

export interface RevokedConsent {
  readonly id: string;
  readonly reason: string;
  readonly at: string;
}

/** Tells the outside that somebody's consent is over. Those that it superseded end with it, and are not told of. */
@Injectable()
export class ConsentRevocationJob extends Job<RevokedConsent> {
  readonly name = 'consent-revocation';
  /** For an hour: what it waits for is the database. */
  override readonly attempts = 10;
  override readonly backoffMillis = 5_000;

  constructor(
    private readonly store: ConsentStore,
    private readonly notices: Notices,
  ) {
    super();
  }

  async run({ id, reason, at }: RevokedConsent): Promise<void> {
    const consent = await this.store.find(id);
    if (!consent || consent.supersededAt) return;
    const { clientId, userId, resourceId } = consent;
    const data = { consent_id: id, reason, client_id: clientId, user_id: userId, resource_id: resourceId };
    await this.store.transaction((tx) =>
      this.notices.tell(tx, { type: 'consent.revoked', id, at: new Date(at), data }),
    );
  }
}
