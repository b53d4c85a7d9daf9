import type pg from 'pg';
import { secondsSince } from '../telemetry/metric.js';
import { databaseDuration, databaseFailures } from '../telemetry/runtime-metrics.js';
import { inSpan, SpanKind } from '../telemetry/spans.js';
import { DatabaseAway } from './database-away.js';

export interface PoolState {
  readonly inUse: number;
  readonly idle: number;
  readonly waiting: number;
  readonly max: number;
}

export const poolState = ({ totalCount, idleCount, waitingCount, options }: pg.Pool): PoolState => ({
  inUse: totalCount - idleCount,
  idle: idleCount,
  waiting: waitingCount,
  max: options.max,
});

const labels = new Map<string, { op: string }>();

/** Times what is asked of the database. @param op the name of a statement: one of ours, never its text */
export function observed<T>(op: string, work: () => Promise<T>): Promise<T> {
  return inSpan(
    op,
    SpanKind.CLIENT,
    () => ({ 'db.system.name': 'postgresql', 'db.query.summary': op }),
    () => timed(op, work),
  );
}

async function timed<T>(op: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now();
  try {
    return await work();
  } catch (error) {
    if (error instanceof DatabaseAway)
      databaseFailures.inc({ kind: error.outcomeUnknown ? 'outcome_unknown' : 'away' });
    throw error;
  } finally {
    let known = labels.get(op);
    if (!known) labels.set(op, (known = { op }));
    databaseDuration.observe(known, secondsSince(startedAt));
  }
}
