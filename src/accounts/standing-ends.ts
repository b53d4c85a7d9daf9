import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Standing } from './identity-standing.js';
import { IdentityStandingStore } from './identity-standing.store.js';
import { SessionStore } from './session.store.js';
import { UserStore } from './user.store.js';

/** What ends with the word of an identity provider. Token families are not ended: they wait until it says otherwise. */
@Injectable()
export class StandingEnds {
  constructor(
    private readonly store: IdentityStandingStore,
    private readonly users: UserStore,
    private readonly sessions: SessionStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * @param why the provider does not vouch for them; absent: nobody knows whether it does, since the last answer was lost
   * @returns undefined when the standing is another by now
   */
  async end(standing: Standing, begunAt: Date, why: string | undefined): Promise<'refused' | 'unchecked' | undefined> {
    const { userId, provider } = standing;
    const now = this.clock.now();
    const refused = why !== undefined;
    return this.store.transaction(async (tx) => {
      // Identity, then user, as a sign-in does.
      if (!(await this.store.forget(tx, standing, begunAt, refused ? now : undefined))) return undefined;
      const user = await this.users.lock(tx, userId);
      // Whoever is about to store something for this person decides again (S6).
      if (user) await this.users.update(tx, { ...user, version: user.version + 1 }, now);
      if (refused) await this.sessions.removeOfProvider(tx, userId, provider);
      const reason = refused ? 'identity_refused' : 'recheck_outcome_lost';
      const detail = { provider, ...(refused && { why }) };
      await this.audit.record(tx, { action: 'user.identity_refused', reason, actorId: userId, detail });
      return refused ? 'refused' : 'unchecked';
    });
  }
}
