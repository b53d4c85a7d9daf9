import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** Every metric of this process. What stands here is what /metrics shows, and what the reference is made from. */
export const registry = new Registry();

/** Of every duration, in seconds. */
export const DURATION_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * @param known all series that there can be, where they are few: each is there from the beginning as 0, because a series that begins with
 *   its first event has no rate, and no alert would see that event
 */
export function counter<const L extends string = never>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
  known: readonly Record<L, string>[] = [],
): Counter<L> {
  const made = new Counter<L>({ name, help, labelNames, registers: [registry] });
  for (const labels of known) made.inc(labels, 0);
  return made;
}

export function histogram<const L extends string = never>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
): Histogram<L> {
  return new Histogram<L>({ name, help, labelNames, buckets: DURATION_BUCKETS, registers: [registry] });
}

export function gauge<const L extends string = never>(
  name: string,
  help: string,
  labelNames: readonly L[] = [],
): Gauge<L> {
  const made = new Gauge<L>({ name, help, labelNames, registers: [registry] });
  // One without labels would say 0 before anybody has read it.
  if (labelNames.length === 0) made.remove({});
  return made;
}

/** Seconds since `start`, a `performance.now()`. */
export const secondsSince = (start: number): number => (performance.now() - start) / 1000;

/** The series of a metric with one label. */
export const each = <L extends string>(label: L, values: readonly string[]): Record<L, string>[] =>
  values.map((value) => ({ [label]: value }) as Record<L, string>);
