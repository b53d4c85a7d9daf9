import { Injectable } from '@nestjs/common';
import { Clock } from '../clock/clock.js';
import type { Transaction } from '../postgres/database.js';
import { uuid7 } from '../uuid7.js';

/** What the outside must be told of, written in the commit that makes it true. */
@Injectable()
export class Outbox {
  constructor(private readonly clock: Clock) {}

  async put(tx: Transaction, topic: string, key: string, payload: object): Promise<void> {
    const now = this.clock.now();
    await tx.query('insert into outbox (id, topic, key, payload, created_at) values ($1, $2, $3, $4, $5)', [
      uuid7(now),
      topic,
      key,
      payload,
      now,
    ]);
  }
}
