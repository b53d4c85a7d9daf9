import { Injectable } from '@nestjs/common';
import { Job } from '../platform/queue/job.js';
import { Notices } from '../webhooks/notices.js';
import { IssuanceStore } from './issuance.store.js';

export interface RevokedFamily {
  readonly id: string;
  readonly reason: string;
  readonly at: string;
}

/**
 * Tells the outside that a family is over: webhooks. No cache holds whether a family lives, so that none has to be told; every replica
 * reads it from the database (S5), and had done so before this job ran.
 */
@Injectable()
export class FamilyRevocationJob extends Job<RevokedFamily> {
  readonly name = 'family-revocation';
  /** For an hour: what it waits for is the database. */
  override readonly attempts = 10;
  override readonly backoffMillis = 5_000;

  constructor(
    private readonly store: IssuanceStore,
    private readonly notices: Notices,
  ) {
    super();
  }

  async run({ id, reason, at }: RevokedFamily): Promise<void> {
    // A code that gave an access token alone has begun a family without a row.
    const family = await this.store.family(id);
    const data = {
      family_id: id,
      reason,
      client_id: family?.clientId,
      user_id: family?.userId,
      resource_id: family?.resourceId,
    };
    await this.store.transaction((tx) => this.notices.tell(tx, { type: 'family.revoked', id, at: new Date(at), data }));
  }
}
