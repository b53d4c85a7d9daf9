import { Injectable } from '@nestjs/common';
import { Between, LessThan } from 'typeorm';
import { Database } from '../platform/postgres/database.js';
import { AUDIT_DROPPED, IS_REFUSAL } from '../platform/retention/expired-rows.js';
import { uuid7Floor } from '../platform/uuid7.js';
import { AuditEventEntity } from './audit-event.entity.js';
import { AuditSealEntity } from './audit-seal.entity.js';

const BATCH = 2_000;

/** Before which moments events, and refusals, may be gone; null: none. */
export interface Dropped {
  readonly events: Date | null;
  readonly refusals: Date | null;
}

@Injectable()
export class AuditSealStore {
  constructor(private readonly database: Database) {}

  /** The newest, of those before `before` if it is given. */
  async last(before?: Date): Promise<AuditSealEntity | undefined> {
    const [seal] = await this.database.manager.find(AuditSealEntity, {
      where: before ? { hour: LessThan(before) } : {},
      order: { hour: 'DESC' },
      take: 1,
    });
    return seal;
  }

  /** Oldest first, both ends included. */
  async between(from: Date, to: Date): Promise<AuditSealEntity[]> {
    return this.database.manager.find(AuditSealEntity, { where: { hour: Between(from, to) }, order: { hour: 'ASC' } });
  }

  async oldestEvent(): Promise<AuditEventEntity | undefined> {
    const [event] = await this.database.manager.find(AuditEventEntity, { order: { id: 'ASC' }, take: 1 });
    return event;
  }

  /**
   * Stores a seal on top of `former`.
   *
   * @returns false when another replica sealed something meanwhile
   */
  async append(seal: AuditSealEntity, former: AuditSealEntity | undefined): Promise<boolean> {
    const rows = await this.database.query(
      `insert into audit_seals (hour, events, hash, made_at, refusals, refusals_hash)
       select $1, $2, $3, $4, $5, $6 where (select max(hour) from audit_seals) is not distinct from $7::timestamptz
       on conflict do nothing returning 1`,
      [seal.hour, seal.events, seal.hash, seal.madeAt, seal.refusals, seal.refusalsHash, former?.hour ?? null],
    );
    return rows.length === 1;
  }

  /** What the audit itself tells of. */
  async dropped(): Promise<Dropped> {
    const [told] = await this.database.query<Dropped>(
      `select max((detail->>'events_before')::timestamptz) as events, max((detail->>'refusals_before')::timestamptz) as refusals
       from audit_events where action = $1`,
      [AUDIT_DROPPED],
    );
    return told ?? { events: null, refusals: null };
  }

  /** Every event with an id of that time, each as text that is the same whenever it is read, in the order of their ids. */
  async *texts(from: Date, to: Date): AsyncGenerator<{ text: string; refusal: boolean }> {
    const end = uuid7Floor(to);
    let [after, inclusive] = [uuid7Floor(from), true];
    for (;;) {
      const rows = await this.database.query<{ id: string; text: string; refusal: boolean }>(TEXTS(inclusive), [
        after,
        end,
      ]);
      yield* rows;
      const last = rows.at(-1);
      if (!last || rows.length < BATCH) return;
      [after, inclusive] = [last.id, false];
    }
  }
}

/** Column by column: one that is added later must not change what is sealed. */
const TEXTS = (inclusive: boolean): string => `
  select id, jsonb_build_array(id, action, reason, actor_id, client_id, ip, request_id, detail,
    to_char(created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'))::text as text, ${IS_REFUSAL} as refusal
  from audit_events where id ${inclusive ? '>=' : '>'} $1 and id < $2 order by id limit ${BATCH}`;
