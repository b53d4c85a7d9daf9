import { Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import type { Transaction } from '../postgres/database.js';
import { currentTraceparent } from '../telemetry/spans.js';
import { uuid7 } from '../uuid7.js';
import { OutboxRelay } from './outbox-relay.js';

/** What the outside must be told of, written in the commit that makes it true. A lost queue loses nothing. */
@Injectable()
export class Outbox {
  constructor(
    private readonly relay: OutboxRelay,
    private readonly clock: Clock,
  ) {}

  /**
   * @param topic the name of a job
   * @param key jobs of one topic and key are one job, as long as it is remembered
   * @param payload ids, never secrets
   */
  async put(tx: Transaction, topic: string, key: string, payload: object): Promise<void> {
    const now = this.clock.now();
    const traceparent = currentTraceparent();
    await tx.query('insert into outbox (id, topic, key, payload, created_at) values ($1, $2, $3, $4, $5)', [
      uuid7(now),
      topic,
      key,
      traceparent === undefined ? payload : { ...payload, traceparent },
      now,
    ]);
    // The commit is still to come; the relay comes by soon after, and regularly in any case.
    this.relay.wake();
  }
}
