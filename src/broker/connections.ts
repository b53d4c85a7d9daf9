import { Injectable } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Clock } from '../platform/clock/clock.js';
import { Outbox } from '../platform/outbox/outbox.js';
import { afterCommit, DatabaseAway, type Transaction } from '../platform/postgres/database.js';
import { connectionsDisconnected } from '../platform/telemetry/protocol-metrics.js';
import { sqlState } from '../platform/postgres/database-away.js';
import { uuid7 } from '../platform/uuid7.js';
import { ConnectionConsents, type ConsentDecision } from './connection-consents.js';
import { ConnectionStore, type Ground } from './connection.store.js';
import type { Connection } from './connection.js';
import { LONGEST_REFRESH_MILLIS, type ConnectedAccount } from './connectors/connector.js';
import { CredentialVault } from './credential-vault.js';

/** The job that tells upstream; its key is the id of the connection. */
export const UPSTREAM_REVOCATION = 'upstream-revocation';

export interface Arrival extends Omit<Ground, 'sourceResourceId'> {
  readonly account: ConnectedAccount;
  readonly consent?: ConsentDecision;
}

/** Why a connection is over. */
type Ending = 'disconnected_by_user' | 'revoked_by_operator' | 'account_replaced' | 'user_deleted';

/** A refresh holds the row of a connection while upstream answers, longer than a statement waits. */
const PATIENCE_MILLIS = LONGEST_REFRESH_MILLIS + 2_000;
const TIMED_OUT = '57014';

/** The life of a connection: it is made, renewed, and ended for good; nobody revives one that is over. */
@Injectable()
export class Connections {
  constructor(
    private readonly store: ConnectionStore,
    private readonly consents: ConnectionConsents,
    private readonly vault: CredentialVault,
    private readonly outbox: Outbox,
    private readonly audit: AuditLog,
    private readonly clock: Clock,
  ) {}

  /**
   * Stores what upstream gave, and the consent with it, in one commit. Another account than the one that was connected takes its place:
   * what MCP servers were allowed to have of that one is over. An account that upstream does not name may be another each time, so that
   * it is over then, too, but for the server that the person is at the page for.
   *
   * @throws OAuthError `connect-flow-over` when what the person decided on no longer holds
   */
  async connect(arrival: Arrival): Promise<void> {
    for (let attempt = 0; attempt < 2; attempt++) {
      if (await this.#connect(arrival)) return;
    }
    throw new OAuthError('try-again', 'stale_twice', { facts: { provider: arrival.provider.slug } });
  }

  /** Lets an MCP server have something of an account that is connected already. @throws OAuthError as `connect` */
  allow({ session, provider }: Omit<Ground, 'sourceResourceId'>, consent: ConsentDecision): Promise<void> {
    const place = { userId: session.user.id, providerId: provider.id };
    return this.store.transaction(async (tx) => {
      await this.store.lock(tx, place.userId, place.providerId);
      await this.#requireGround(tx, { session, provider, sourceResourceId: consent.sourceResourceId });
      const connection = await this.store.current(place.userId, place.providerId, tx);
      if (connection?.status !== 'active') throw new OAuthError('connect-flow-over', 'connect_changed_meanwhile');
      await this.consents.give(tx, place, consent);
    });
  }

  /** The person ends a connection. @returns false when there is none */
  async disconnect(userId: string, providerId: string): Promise<boolean> {
    const current = await this.store.current(userId, providerId);
    return current !== undefined && this.#over(current, 'disconnected_by_user', userId);
  }

  /** An operator ends a connection. @returns false when there is no such connection, or it is over */
  async revokeById(id: string): Promise<boolean> {
    const connection = await this.store.find(id);
    return connection !== undefined && this.#over(connection, 'revoked_by_operator');
  }

  /** All connections of a person who is being deleted, in that transaction: whoever was connecting one has committed before, or will not. */
  async endAll(tx: Transaction, userId: string): Promise<void> {
    for (const connection of await this.store.allCurrent(tx, userId)) await this.#end(tx, connection, 'user_deleted');
  }

  /** @returns whether it was stored; otherwise another connection was made meanwhile */
  async #connect({ session, provider, account, consent }: Arrival): Promise<boolean> {
    const now = this.clock.now();
    const userId = session.user.id;
    const known = await this.store.current(userId, provider.id);
    const same = known !== undefined && isSame(known, account);
    const place = { id: same ? known.id : uuid7(now), userId, providerId: provider.id };
    // Sealing may ask a vault, and is no part of the transaction; it is bound to the id of the row.
    const stored = {
      account: account.account ?? '',
      scopes: account.scopes,
      sealedCredential: await this.vault.sealCredential(place, account.credential),
    };
    return this.#patiently(async (tx) => {
      await this.store.lock(tx, userId, provider.id);
      await this.#requireGround(tx, { session, provider, sourceResourceId: consent?.sourceResourceId });
      const current = await this.store.current(userId, provider.id, tx);
      if (current?.id !== known?.id) return false;
      if (current && !same) await this.#end(tx, current, 'account_replaced', userId);
      const version = same ? await this.store.renew(tx, place.id, stored, now) : 1;
      if (!same) await this.store.insert(tx, place, stored, now);
      if (same && (known.account === '' || stored.account === '')) {
        const kept = known.account === '' ? consent?.sourceResourceId : undefined;
        await this.consents.end(tx, { userId, providerId: provider.id, except: kept }, userId);
      }
      await this.audit.record(tx, {
        action: 'broker_grant.created',
        actorId: userId,
        clientId: consent?.clientId,
        detail: { provider: provider.slug, grant_id: place.id, version, scopes: account.scopes },
      });
      if (consent) await this.consents.give(tx, place, consent);
      return true;
    });
  }

  #over(connection: Connection, ending: Ending, actorId?: string): Promise<boolean> {
    const { id, userId, providerId } = connection;
    return this.#patiently(async (tx) => {
      await this.store.lock(tx, userId, providerId);
      const current = await this.store.find(id, tx);
      if (!current || current.status === 'disconnected') return false;
      await this.#end(tx, current, ending, actorId);
      return true;
    });
  }

  /** In one commit the connection and every consent on it are over, and upstream will be told. Under the lock. */
  async #end(tx: Transaction, connection: Connection, ending: Ending, actorId?: string): Promise<void> {
    const { id, userId, providerId, sealedCredential } = connection;
    const { version, provider } = await this.store.end(tx, id, ending, this.clock.now());
    afterCommit(tx, () => connectionsDisconnected.inc({ provider }));
    await this.consents.end(tx, { userId, providerId }, actorId);
    if (sealedCredential !== undefined) await this.outbox.put(tx, UPSTREAM_REVOCATION, id, { connection: id });
    const byOperator = ending === 'revoked_by_operator';
    await this.audit.record(tx, {
      action: byOperator ? 'broker_grant.revoked_admin' : 'broker_grant.revoked',
      actorId,
      detail: byOperator
        ? { id, user_id: userId, broker_provider_id: providerId }
        : { provider: providerId, grant_id: id, user: userId, version, why: ending },
    });
  }

  async #requireGround(tx: Transaction, ground: Ground): Promise<void> {
    if (await this.store.holds(tx, ground)) return;
    const facts = { provider: ground.provider.slug, user: ground.session.user.id };
    throw new OAuthError('connect-flow-over', 'connect_changed_meanwhile', { facts });
  }

  /** What upstream gave is given once: it is not thrown away for a row that is busy a moment longer. */
  async #patiently<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    const deadline = performance.now() + PATIENCE_MILLIS;
    for (;;) {
      try {
        return await this.store.transaction(work);
      } catch (error) {
        const busy = error instanceof DatabaseAway && sqlState(error.cause) === TIMED_OUT;
        if (!busy || performance.now() > deadline) throw error;
      }
    }
  }
}

/**
 * Where upstream does not say whose account it is, the connection stays the same one: it may be the same grant, and to revoke the former
 * credential would end the new one.
 */
const isSame = (known: Connection, { account }: ConnectedAccount): boolean =>
  account === undefined || known.account === '' || known.account === account;
