/** Where re-encryption is in one column. It walks the column until nothing stale was met, because others go on writing meanwhile. */
export interface ColumnProgress {
  /** Which walk this is, from 1. */
  readonly walk: number;
  /** The primary key of the last value that was looked at in this walk. */
  readonly cursor?: string;
  /** In this walk. */
  readonly seen: number;
  /** In all walks. */
  readonly moved: number;
  /** In this walk: stale, and not replaced because somebody was writing that row. */
  readonly left: number;
  /** In this walk: what does not open. It stays as it is. */
  readonly unreadable: number;
  /** In this walk. */
  readonly movedInWalk: number;
  /** The walk before met rows that somebody was writing. */
  readonly waits?: boolean;
  readonly done: boolean;
}

/** By the name of the column. */
export type Progress = Readonly<Record<string, ColumnProgress>>;

/** One re-encryption: begun by an operator, carried out by whichever replica comes to it. */
export interface ReencryptionRecord {
  readonly id: string;
  /** The id of the key to which every value moves. */
  readonly targetKey: string;
  readonly progress: Progress;
  readonly startedAt: Date;
  readonly updatedAt: Date;
  readonly finishedAt?: Date;
  /** Why it is not finished, or what is left although it is. */
  readonly lastError?: string;
}

export interface Advance {
  readonly progress: Progress;
  readonly finished: boolean;
  readonly lastError?: string;
}

/** After so many walks that still met stale values, somebody keeps sealing under another key: that is the operator's to see. */
const MAX_WALKS = 10;

export const beginning: ColumnProgress = {
  walk: 1,
  seen: 0,
  moved: 0,
  left: 0,
  unreadable: 0,
  movedInWalk: 0,
  done: false,
};

export interface Step {
  readonly seen: number;
  readonly moved: number;
  readonly left: number;
  readonly unreadable: number;
  /** Undefined at the end of the walk. */
  readonly next?: string;
}

export function after(before: ColumnProgress, step: Step): ColumnProgress {
  const sum: ColumnProgress = {
    ...before,
    cursor: step.next,
    seen: before.seen + step.seen,
    moved: before.moved + step.moved,
    movedInWalk: before.movedInWalk + step.moved,
    left: before.left + step.left,
    unreadable: before.unreadable + step.unreadable,
  };
  if (step.next !== undefined) return sum;
  if (sum.left + sum.movedInWalk === 0 || sum.walk >= MAX_WALKS) return { ...sum, done: true };
  return { ...beginning, walk: sum.walk + 1, moved: sum.moved, waits: sum.left > 0 };
}
