import { createHash } from 'node:crypto';
import { Injectable, Logger } from '@nestjs/common';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { AuditSealEntity } from './audit-seal.entity.js';
import { AuditSealStore, type Dropped } from './audit-seal.store.js';

const HOUR_MILLIS = 3_600_000;
const DAY_MILLIS = 24 * HOUR_MILLIS;
/** What a request of the closed hour did may be committed a little later, by a replica whose clock is a little slow. */
const GRACE_MILLIS = 10 * 60_000;

/** How long after its end an hour may wait for its seal before that is a problem. */
const PATIENCE_MILLIS = 3 * HOUR_MILLIS;

/**
 * `changed`: other events than were sealed. `gone`: none of them is left. `purged`: what is missing was dropped beyond what the settings say,
 * as the audit itself tells (`audit.dropped`). Whoever deletes could tell so, too: an operator must know of it. `unsealed`: no seal where there
 * must be one.
 */
export type SealProblem = 'changed' | 'gone' | 'purged' | 'unsealed';

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
      const found = await this.#eventsOf(hour);
      const events = found.all.count;
      const apart = { refusals: found.refusals.count, refusalsHash: found.refusals.digest };
      const hash = sealOf(hour, former, found);
      const seal = { hour, events, hash, madeAt: this.clock.now(), ...apart };
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
    const [settings, told] = [this.#settings(), await this.store.dropped()];
    for (let hour = former ? from : await this.#beginning(from, seals); hour < end; hour = next(hour)) {
      const seal = seals.get(hour.getTime());
      if (!seal) {
        if (hour.getTime() + HOUR_MILLIS + PATIENCE_MILLIS >= this.clock.now().getTime()) break;
        problems.push({ hour, problem: 'unsealed' });
        continue;
      }
      const found = await this.#eventsOf(hour);
      const state = stateOf(found, seal, former, settings);
      if (state === 'verified') verified += 1;
      else if (state === 'dropped') dropped += 1;
      else if (stateOf(found, seal, former, told)) problems.push({ hour, problem: 'purged' });
      else problems.push({ hour, problem: found.all.count > 0 ? 'changed' : 'gone' });
      former = seal;
    }
    return { verified, dropped, last: former && { hour: former.hour, hash: former.hash }, problems };
  }

  async #eventsOf(hour: Date): Promise<Events> {
    const tallies = { all: new Tally(), refusals: new Tally(), others: new Tally() };
    for await (const { text, refusal } of this.store.texts(hour, next(hour))) {
      tallies.all.add(text);
      tallies[refusal ? 'refusals' : 'others'].add(text);
    }
    const { all, refusals, others } = tallies;
    return { all: all.end(), refusals: refusals.end(), others: others.end() };
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

  #settings(): Dropped {
    const { auditDays, refusalDays } = this.config.retention;
    const before = (days: number) => (days > 0 ? new Date(this.clock.now().getTime() - days * DAY_MILLIS) : null);
    return { events: before(auditDays), refusals: before(refusalDays) };
  }
}

/** Whether an hour is as it was sealed, where what is older than `dropped` may be gone; undefined: it is not. */
function stateOf(
  found: Events,
  seal: AuditSealEntity,
  former: AuditSealEntity | undefined,
  { events, refusals }: Dropped,
): 'verified' | 'dropped' | undefined {
  const { hour, hash } = seal;
  if (hashOf(found, seal, former, refusals !== null && hour < refusals).equals(hash)) return 'verified';
  return found.all.count === 0 && events !== null && hour < events ? 'dropped' : undefined;
}

/** What the seal of that hour would be now. Refusals that may be gone count as what they were when they were sealed. */
function hashOf(
  found: Events,
  { hour, refusals, refusalsHash }: AuditSealEntity,
  former: AuditSealEntity | undefined,
  refusalsMayBeGone: boolean,
): Buffer {
  if (refusals === null || refusalsHash === null) return formerSealOf(hour, former, found);
  if (!refusalsMayBeGone) return sealOf(hour, former, found);
  return sealOf(hour, former, { ...found, refusals: { count: refusals, digest: refusalsHash } });
}

interface Counted {
  readonly count: number;
  readonly digest: Buffer;
}

/** Those of one hour; refusals and others are all. */
interface Events {
  readonly all: Counted;
  readonly refusals: Counted;
  readonly others: Counted;
}

class Tally {
  readonly #hash = createHash('sha256');
  #count = 0;

  add(text: string): void {
    this.#hash.update(text).update('\n');
    this.#count += 1;
  }

  end(): Counted {
    return { count: this.#count, digest: this.#hash.digest() };
  }
}

/** Refusals have a hash of their own in it, with which it stands when they have been dropped. */
function sealOf(hour: Date, former: AuditSealEntity | undefined, { others, refusals }: Omit<Events, 'all'>): Buffer {
  return sealHash(2, former, `${hour.toISOString()}\n${others.count} ${refusals.count}`, [
    others.digest,
    refusals.digest,
  ]);
}

/** As seals were before refusals were sealed apart. */
function formerSealOf(hour: Date, former: AuditSealEntity | undefined, { all }: Pick<Events, 'all'>): Buffer {
  return sealHash(1, former, `${hour.toISOString()}\n${all.count}`, [all.digest]);
}

function sealHash(
  version: 1 | 2,
  former: AuditSealEntity | undefined,
  head: string,
  digests: readonly Buffer[],
): Buffer {
  const hash = createHash('sha256')
    .update(`authplane audit seal ${version}\n`)
    .update(former?.hash ?? Buffer.alloc(32))
    .update(`\n${head}\n`);
  for (const digest of digests) hash.update(digest);
  return hash.digest();
}

const hourOf = (at: Date): Date => new Date(Math.floor(at.getTime() / HOUR_MILLIS) * HOUR_MILLIS);
const next = (hour: Date): Date => new Date(hour.getTime() + HOUR_MILLIS);
