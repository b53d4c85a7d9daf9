import type { ReencryptionRecord } from '../encryption/reencryption-progress.js';

export const toReencryptionView = (record: ReencryptionRecord) => ({
  id: record.id,
  key: record.targetKey,
  state: record.finishedAt ? 'finished' : 'unfinished',
  started_at: record.startedAt.toISOString(),
  updated_at: record.updatedAt.toISOString(),
  finished_at: record.finishedAt?.toISOString(),
  last_error: record.lastError,
  columns: Object.entries(record.progress).map(([column, { walk, seen, moved, left, unreadable, done }]) => ({
    column,
    walk,
    seen,
    moved,
    left,
    unreadable,
    done,
  })),
});
