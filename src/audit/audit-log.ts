import { Injectable, Logger } from '@nestjs/common';
import { Clock } from '../platform/clock/clock.js';
import { requestContext } from '../platform/http/request-context.js';
import { InsertBatcher } from '../platform/postgres/insert-batcher.js';
import { afterCommit, type Transaction } from '../platform/postgres/database.js';
import { storableJson } from '../platform/postgres/storable-json.js';
import { uuid7, uuid7Floor } from '../platform/uuid7.js';
import { auditDropped } from '../platform/telemetry/runtime-metrics.js';
import { countFact } from './audit-metrics.js';
import { INSERT_AUDIT_ROWS } from './audit-rows.js';
import { AuditStore } from './audit.store.js';

/** One thing that happened. `detail` never holds a secret, a token or an e-mail address. */
export interface AuditFact {
  /** A stable word such as `token.issued`. */
  readonly action: string;
  /** The private reason of a refusal. */
  readonly reason?: string;
  readonly actorId?: string;
  readonly clientId?: string;
  readonly detail?: Record<string, unknown>;
}

export interface AuditEvent extends AuditFact {
  readonly id: string;
  readonly ip?: string;
  readonly requestId?: string;
  readonly createdAt: Date;
}

export interface AuditQuery {
  readonly action?: string;
  readonly actorId?: string;
  readonly clientId?: string;
  readonly requestId?: string;
  readonly since: Date;
  readonly until: Date;
  readonly limit: number;
  /** The id of the last event of the page before. */
  readonly cursor?: string;
  readonly offset?: number;
}

type RecordListener = (tx: Transaction, facts: readonly AuditFact[]) => Promise<void>;

/** While more refusals than this wait for the database, further ones are counted instead of kept (S9). */
const MAX_WAITING_REFUSALS = 2_000;
const MAX_TEXT = 300;

@Injectable()
export class AuditLog {
  readonly #log = new Logger(AuditLog.name);
  readonly #refusals: InsertBatcher<object>;
  readonly #listeners: RecordListener[] = [];
  #dropped = 0;

  constructor(
    private readonly store: AuditStore,
    private readonly clock: Clock,
  ) {
    this.#refusals = new InsertBatcher<object>({
      run: (rowsJson) => this.store.insert(rowsJson),
      maxWaiting: MAX_WAITING_REFUSALS,
    });
  }

  /** The rows of `facts` as the JSON that a statement with `insertAudit(…)` takes. */
  rows(...facts: readonly AuditFact[]): string {
    return storableJson(facts.map((fact) => this.#row(fact)));
  }

  /** Records facts inside the transaction that makes them true. */
  async record(tx: Transaction, ...facts: readonly AuditFact[]): Promise<void> {
    await tx.query(INSERT_AUDIT_ROWS, [this.rows(...facts)]);
    for (const hear of this.#listeners) await hear(tx, facts);
    afterCommit(tx, () => this.happened(...facts));
  }

  /** Counts facts whose `rows` were stored by a statement of the caller's. */
  happened(...facts: readonly AuditFact[]): void {
    facts.forEach(countFact);
  }

  /** How many refusals wait to be written. */
  get waiting(): number {
    return this.#refusals.waiting;
  }

  /** `hear` is told of what `record` records, in its transaction; not of `rows`, so that no token waits for a listener. */
  onRecorded(hear: RecordListener): void {
    this.#listeners.push(hear);
  }

  /**
   * Records something that nothing else is stored with: a refusal, or a question that was answered. Never fails the request:
   * what the database does not take is counted and logged.
   */
  async refused(fact: AuditFact): Promise<void> {
    countFact(fact);
    // The series is there before its first event: otherwise that event would have no rate.
    auditDropped.inc({ action: fact.action }, 0);
    try {
      await this.#refusals.add(this.#row(fact));
    } catch (error) {
      this.#dropped += 1;
      auditDropped.inc({ action: fact.action });
      this.#log.warn({
        message: 'audit event dropped',
        action: fact.action,
        reason: fact.reason,
        dropped: this.#dropped,
        error: String(error),
      });
    }
  }

  /** Events of the window, newest first. */
  async list(query: AuditQuery): Promise<AuditEvent[]> {
    const ceiling = query.cursor ?? uuid7Floor(new Date(query.until.getTime() + 1));
    return this.store.list({ ...query, floor: uuid7Floor(query.since), ceiling });
  }

  #row({ action, reason, actorId, clientId, detail = {} }: AuditFact): object {
    const context = requestContext();
    const now = this.clock.now();
    return {
      id: uuid7(now),
      action,
      reason: reason ?? null,
      actor_id: actorId?.slice(0, MAX_TEXT) ?? null,
      client_id: clientId?.slice(0, MAX_TEXT) ?? null,
      ip: context?.ip ?? null,
      request_id: context?.requestId ?? null,
      detail,
      created_at: now.toISOString(),
    };
  }
}
