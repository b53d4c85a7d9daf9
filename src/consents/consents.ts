import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { ConsentStore } from './consent.store.js';
import type { ConnectedApp, Consent } from './consent.js';
import { Revocations } from './revocations.js';

/** What a person decided on the consent page. */
export interface Decision {
  readonly userId: string;
  readonly clientId: string;
  readonly resourceId: string;
  /** Absent: given outside a code flow; codes under it ask once more (W17). */
  readonly redirectUri?: string;
  readonly ticked: readonly string[];
  readonly unticked: readonly string[];
}

@Injectable()
export class Consents {
  constructor(
    private readonly store: ConsentStore,
    private readonly revocations: Revocations,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  current(userId: string, clientId: string, resourceId: string): Promise<Consent | undefined> {
    return this.store.current({ userId, clientId, resourceId });
  }

  /** Stores a decision: what was allowed before, with what is ticked and without what is not (W18). */
  async give(tx: Transaction, { ticked, unticked, redirectUri, ...place }: Decision): Promise<Consent> {
    await this.store.lock(tx, place);
    const former = await this.store.current(place, tx);
    const now = this.clock.now();
    const kept = (former?.scopes ?? []).filter((scope) => !unticked.includes(scope));
    const consent: Consent = {
      ...place,
      id: uuid7(now),
      scopes: [...new Set([...kept, ...ticked])],
      redirectUris: [
        ...new Set([...(former?.redirectUris ?? []), ...(redirectUri === undefined ? [] : [redirectUri])]),
      ],
      createdAt: now,
    };
    await this.store.replace(tx, former, consent);
    await this.audit.record(tx, {
      action: 'consent.granted',
      actorId: place.userId,
      clientId: place.clientId,
      detail: { consent: consent.id, resource: place.resourceId, scopes: ticked, superseded: former?.id },
    });
    return consent;
  }

  ofUser(userId: string): Promise<ConnectedApp[]> {
    return this.store.connectedApps(userId);
  }

  /** Every consent the person ever gave, newest first. */
  historyOfUser(userId: string): Promise<Consent[]> {
    return this.store.history(userId);
  }

  /** The person takes a consent back. @returns false when there is no such consent of theirs */
  async withdraw(userId: string, consentId: string): Promise<boolean> {
    const consent = await this.store.find(consentId);
    return consent?.userId === userId ? this.#end(consent, 'consent.withdrawn', userId) : false;
  }

  /** An operator takes a consent back. */
  async withdrawById(consentId: string): Promise<boolean> {
    const consent = await this.store.find(consentId);
    return consent ? this.#end(consent, 'consent.revoked_admin') : false;
  }

  /** In one commit the consent, those it superseded, and with them every token that stands on one of them, are over (S5). */
  #end(consent: Consent, action: string, actorId?: string): Promise<boolean> {
    return this.store.transaction(async (tx) => {
      await this.store.lock(tx, consent);
      const ended = await this.store.end(tx, consent, this.clock.now());
      if (ended.length === 0) return false;
      await this.revocations.insert(tx, 'consent', ended, 'consent_withdrawn');
      await this.audit.record(tx, {
        action,
        actorId,
        clientId: consent.clientId,
        detail: { id: consent.id, user: consent.userId, resource: consent.resourceId, ended },
      });
      return true;
    });
  }
}
