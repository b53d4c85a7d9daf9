import { setTimeout as pause } from 'node:timers/promises';
import { Injectable, Logger } from '@nestjs/common';
import { OAuthError } from '#libs/oauth';
import { SealBroken } from '#libs/vault';
import { Encryption, type SealingKey } from './encryption.js';
import { sealingKeyOf } from './envelope.js';
import {
  after,
  beginning,
  type Advance,
  type Progress,
  type ReencryptionRecord,
  type Step,
} from './reencryption-progress.js';
import { ReencryptionStore } from './reencryption.store.js';
import { nameOf, type SealedColumn } from './sealed-column.js';
import { SealedColumnStore, type Resealed, type StaleValue } from './sealed-column.store.js';

/** The columns that the composition root knows. */
export abstract class SealedColumns {
  abstract readonly all: readonly SealedColumn[];
}

/** Values per step, which is one commit of the values and one of the progress. */
const STEP_SIZE = 300;
/** Of a step, so that Vault has time for vends. */
const AT_ONCE = 8;
/** Between two walks when rows were locked: a refresh at a slow provider holds its row for some seconds. */
const PAUSE_MILLIS = 1_000;

/**
 * Moves every sealed value to the key in force, while the server runs. A value is replaced only where it is still the one that was
 * opened, so that a newer one is never lost; what does not open stays as it is and is counted.
 */
@Injectable()
export class Reencryption {
  readonly #log = new Logger(Reencryption.name);

  constructor(
    private readonly encryption: Encryption,
    private readonly columns: SealedColumns,
    private readonly values: SealedColumnStore,
    private readonly records: ReencryptionStore,
  ) {}

  /** What seals now. @throws as `Encryption.seal` */
  keyInForce(): Promise<SealingKey> {
    return this.encryption.keyInForce();
  }

  /** Begins, or takes up the one that was begun. @throws as `Encryption.seal` */
  async begin(): Promise<ReencryptionRecord> {
    return this.records.begin((await this.encryption.keyInForce()).id);
  }

  latest(): Promise<ReencryptionRecord | undefined> {
    return this.records.latest();
  }

  /** How many values each key has sealed, by column and the key's id. */
  async valuesByKey(): Promise<Readonly<Record<string, Readonly<Record<string, number>>>>> {
    const byColumn: Record<string, Record<string, number>> = {};
    for (const column of this.columns.all) {
      const counts: Record<string, number> = (byColumn[nameOf(column)] = {});
      for (const [head, count] of await this.values.countByHead(column)) {
        const id = sealingKeyOf(head)?.id ?? 'unknown';
        counts[id] = (counts[id] ?? 0) + count;
      }
    }
    return byColumn;
  }

  /**
   * Goes on with what is unfinished, until it is finished, somebody else is at it, or `stopped`.
   *
   * @throws what is in the way; the record tells of it, and everything that was moved stays moved
   */
  async run(stopped: () => boolean = () => false): Promise<void> {
    const latest = await this.records.latest();
    if (!latest || latest.finishedAt) return;
    try {
      let at: ReencryptionRecord | undefined = latest;
      while (at && !at.finishedAt && !stopped()) {
        at = await this.records.advance(latest.id, (before) => this.#step(before));
        if (at && endedAWalkWithLocks(at.progress)) await pause(PAUSE_MILLIS, undefined, { ref: false });
      }
      if (at?.finishedAt) this.#log.log({ message: 're-encryption has finished', key: at.targetKey });
    } catch (error) {
      await this.records.failed(latest.id, problemOf(error)).catch(() => {});
      throw error;
    }
  }

  async #step({ targetKey, progress }: ReencryptionRecord): Promise<Advance> {
    const target = await this.encryption.keyInForce();
    if (target.id !== targetKey) throw new AnotherKeyInForce(target.id);
    const column = this.columns.all.find((each) => !progress[nameOf(each)]?.done);
    if (!column) return { progress, finished: true, lastError: remaining(progress) };
    const before = progress[nameOf(column)] ?? beginning;
    const now = after(before, await this.#stretch(column, before.cursor, target));
    return { progress: { ...progress, [nameOf(column)]: now }, finished: false };
  }

  async #stretch(column: SealedColumn, cursor: string | undefined, target: SealingKey): Promise<Step> {
    const { stale, seen, next } = await this.values.stretch(column, cursor, target.prefix, STEP_SIZE);
    const resealed: Resealed[] = [];
    for (let from = 0; from < stale.length; from += AT_ONCE) {
      const few = stale.slice(from, from + AT_ONCE).map((value) => this.#reseal(column, value, target));
      resealed.push(...(await Promise.all(few)).filter((value) => value !== undefined));
    }
    const moved = await this.values.replace(column, resealed);
    return { seen, moved, left: resealed.length - moved, unreadable: stale.length - resealed.length, next };
  }

  async #reseal(
    column: SealedColumn,
    { id, sealed, row }: StaleValue,
    target: SealingKey,
  ): Promise<Resealed | undefined> {
    const context = column.context(row);
    try {
      const resealed = await this.encryption.seal(await this.encryption.open(sealed, context), context);
      if (!resealed.startsWith(target.prefix)) throw new AnotherKeyInForce(sealingKeyOf(resealed)?.id ?? 'unknown');
      return { id, sealed, resealed };
    } catch (error) {
      if (!(error instanceof SealBroken)) throw error;
      const key = sealingKeyOf(sealed)?.id;
      this.#log.warn({ message: 'a sealed value does not open', column: nameOf(column), row: id, key });
      return undefined;
    }
  }
}

/** This process seals under another key than re-encryption was begun for: it was changed since, or this replica has not got it yet. */
class AnotherKeyInForce extends Error {
  override readonly name = 'AnotherKeyInForce';

  constructor(id: string) {
    super(`a replica seals under ${id}: give all replicas the same key, then start again`);
  }
}

const endedAWalkWithLocks = (progress: Progress): boolean =>
  Object.values(progress).some(({ walk, seen, done, waits }) => !done && walk > 1 && seen === 0 && waits === true);

function remaining(progress: Progress): string | undefined {
  const columns = Object.values(progress);
  const unreadable = columns.reduce((sum, column) => sum + column.unreadable, 0);
  const left = columns.reduce((sum, column) => sum + column.left, 0);
  const parts = [
    unreadable > 0 ? `${unreadable} values do not open (the log names them)` : '',
    left > 0 ? `${left} values were written again under another key meanwhile` : '',
  ];
  return parts.filter(Boolean).join('; ') || undefined;
}

function problemOf(error: unknown): string {
  if (error instanceof OAuthError) return `${error.reason}: ${String(error.facts.problem ?? '')}`;
  return error instanceof AnotherKeyInForce ? error.message : 'unexpected: the log has it';
}
