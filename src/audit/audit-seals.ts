import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { AuditSealEntity } from './audit-seal.entity.js';
import { AuditSealStore } from './audit-seal.store.js';

const HOUR_MILLIS = 3_600_000;
const DAY_MILLIS = 24 * HOUR_MILLIS;
/** What a request of the closed hour did may be committed a little later, by a replica whose clock is a little slow. */
const GRACE_MILLIS = 10 * 60_000;

/** How long after its end an hour may wait for its seal before that is a problem. */
const PATIENCE_MILLIS = 3 * HOUR_MILLIS;

/** `changed`: other events than were sealed. `gone`: none of them is left. `unsealed`: no seal where there must be one. */
export type SealProblem = 'changed' | 'gone' | 'unsealed';

export interface Verification {
  /** How many hours were compared with their events. */
  readonly verified: number;
  /** How many are older than `retention.audit_days`, and were deleted for that. */
  readonly dropped: number;
  /** The newest seal of all that were looked at. Whoever keeps it elsewhere can tell a chain that was made anew. */
  readonly last?: { readonly hour: Date; readonly hash: Buffer };
  readonly problems: readonly { readonly hour: Date; readonly problem: SealProblem }[];
}

/**
 * Whether the audit is what it was. An hour that is over is sealed: a hash of its events, on top of the seal of the hour before (S9). Who
 * changes, removes or adds an event later has to make every seal since then anew; each is told to the log when it is made, for that.
 */
@Injectable()
export class AuditSeals {
  readonly #log = new Logger(AuditSeals.name);

  constructor(
    private readonly store: AuditSealStore,
    private readonly clock: Clock,
    private readonly config: Config,
  ) {}

  /** Seals every hour that is over and not sealed. Another replica that does so at the same time is let go first. */
  async sealClosedHours(): Promise<void> {
    let former = await this.store.last();
    const first = former ? new Date(former.hour.getTime() + HOUR_MILLIS) : (await this.store.oldestEvent())?.createdAt;
    if (!first) return;
    const end = this.#closed();
    for (let hour = hourOf(first); hour < end; hour = next(hour)) {
      const { events, hash } = await this.#sealOf(hour, former);
      const seal = { hour, events, hash, madeAt: this.clock.now() };
      if (!(await this.store.append(seal, former))) return;
      this.#log.log({ message: 'audit hour sealed', hour, events, seal: hash.toString('hex') });
      former = seal;
    }
  }

  /** Compares what was sealed between two moments with what is there now. */
  async verify(since: Date, until: Date): Promise<Verification> {
    const [from, end] = [hourOf(since), next(hourOf(until))];
    let former = await this.store.last(from);
    const seals = new Map((await this.store.between(from, end)).map((seal) => [seal.hour.getTime(), seal]));
    const problems: { hour: Date; problem: SealProblem }[] = [];
    let [verified, dropped] = [0, 0];
    for (let hour = former ? from : await this.#beginning(from, seals); hour < end; hour = next(hour)) {
      const seal = seals.get(hour.getTime());
      if (!seal) {
        if (hour.getTime() + HOUR_MILLIS + PATIENCE_MILLIS >= this.clock.now().getTime()) break;
        problems.push({ hour, problem: 'unsealed' });
        continue;
      }
      const now = await this.#sealOf(hour, former);
      if (now.hash.equals(seal.hash)) verified += 1;
      else if (now.events > 0) problems.push({ hour, problem: 'changed' });
      else if (this.#isDropped(hour)) dropped += 1;
      else problems.push({ hour, problem: 'gone' });
      former = seal;
    }
    return { verified, dropped, last: former && { hour: former.hour, hash: former.hash }, problems };
  }

  async #sealOf(hour: Date, former: AuditSealEntity | undefined): Promise<{ events: number; hash: Buffer }> {
    const events = createHash('sha256');
    let count = 0;
    for await (const text of this.store.texts(hour, next(hour))) {
      events.update(text).update('\n');
      count += 1;
    }
    const hash = createHash('sha256')
      .update('authplane audit seal 1\n')
      .update(former?.hash ?? Buffer.alloc(32))
      .update(`\n${hour.toISOString()}\n${count}\n`)
      .update(events.digest())
      .digest();
    return { events: count, hash };
  }

  /** The first hour that must have a seal, where nothing before `from` has one. */
  async #beginning(from: Date, seals: ReadonlyMap<number, AuditSealEntity>): Promise<Date> {
    const [first] = seals.values();
    const begins = first?.hour ?? (await this.store.oldestEvent())?.createdAt ?? this.clock.now();
    return hourOf(begins < from ? from : begins);
  }

  /** Hours before this one are over. */
  #closed(): Date {
    return hourOf(new Date(this.clock.now().getTime() - GRACE_MILLIS));
  }

  #isDropped(hour: Date): boolean {
    const { auditDays } = this.config.retention;
    return auditDays > 0 && hour.getTime() < this.clock.now().getTime() - auditDays * DAY_MILLIS;
  }
}

const hourOf = (at: Date): Date => new Date(Math.floor(at.getTime() / HOUR_MILLIS) * HOUR_MILLIS);
const next = (hour: Date): Date => new Date(hour.getTime() + HOUR_MILLIS);
