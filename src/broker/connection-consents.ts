import { Injectable } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import type { Transaction } from '../platform/postgres/database.js';
import { uuid7 } from '../platform/uuid7.js';
import { ConnectionConsentStore, type ConsentPlace, type EndedPlace } from './connection-consent.store.js';
import { ConnectionStore } from './connection.store.js';
import type { ConnectionConsent } from './connection.js';

/** What a person decided for one MCP server, in upstream's words. */
export interface ConsentDecision {
  readonly sourceResourceId: string;
  /** The application that asked; it is told of in the audit log, and is given nothing. */
  readonly clientId: string;
  readonly ticked: readonly string[];
  readonly unticked: readonly string[];
  /** Ticked, and not given by upstream. */
  readonly missing?: readonly string[];
}

/** What people allowed MCP servers to have of their accounts (W45). */
@Injectable()
export class ConnectionConsents {
  constructor(
    private readonly store: ConnectionConsentStore,
    private readonly connections: ConnectionStore,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /** Stores a decision: what was allowed before, with what is ticked and without what is not (W18). Under the lock of the connection. */
  async give(
    tx: Transaction,
    { userId, providerId }: Omit<ConsentPlace, 'sourceResourceId'>,
    { sourceResourceId, clientId, ticked, unticked, missing = [] }: ConsentDecision,
  ): Promise<void> {
    const place = { userId, providerId, sourceResourceId };
    const former = await this.store.current(place, tx);
    const now = this.clock.now();
    const kept = (former?.scopes ?? []).filter((scope) => !unticked.includes(scope));
    const scopes = [...new Set([...kept, ...ticked])];
    // Where there are no scopes to choose from, allowing is allowing all; where nothing is left of them, it is allowing nothing.
    if (scopes.length === 0 && unticked.length + missing.length > 0) {
      await this.end(tx, place, userId);
      return;
    }
    const consent: ConnectionConsent = { ...place, id: uuid7(now), scopes, createdAt: now };
    await this.store.replace(tx, former, consent);
    await this.audit.record(tx, {
      action: 'connection_consent.granted',
      actorId: userId,
      clientId,
      detail: {
        id: consent.id,
        provider: providerId,
        resource: sourceResourceId,
        scopes: ticked,
        superseded: former?.id,
      },
    });
  }

  /** The person takes a consent back, and with it those that it superseded. @returns false when there is no such consent of theirs */
  async withdraw(userId: string, consentId: string): Promise<boolean> {
    const consent = await this.store.find(consentId);
    if (consent?.userId !== userId) return false;
    const { providerId, sourceResourceId } = consent;
    return this.connections.transaction(async (tx) => {
      await this.connections.lock(tx, userId, providerId);
      return (await this.end(tx, { userId, providerId, sourceResourceId }, userId)) > 0;
    });
  }

  /**
   * Ends the consents of a person at a provider, under the lock of the connection.
   *
   * @returns how many
   */
  async end(tx: Transaction, place: EndedPlace, actorId?: string): Promise<number> {
    const ended = await this.store.end(tx, place, this.clock.now());
    const facts = ended.map(({ id, sourceResourceId }) => ({
      action: 'connection_consent.withdrawn',
      actorId,
      detail: { id, user: place.userId, provider: place.providerId, resource: sourceResourceId },
    }));
    if (facts.length > 0) await this.audit.record(tx, ...facts);
    return ended.length;
  }
}
