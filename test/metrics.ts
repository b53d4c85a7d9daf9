import type { TestApp } from './app.js';
import { readSamples, type Sample } from './prometheus.js';

/** What Prometheus would read now. */
export async function scraped({ adminUrl }: Pick<TestApp, 'adminUrl'>): Promise<Sample[]> {
  const response = await fetch(`${adminUrl}/metrics`);
  if (response.status !== 200) throw new Error(`/metrics answered ${response.status}`);
  return readSamples(await response.text());
}

/** Every counter, and every histogram as the number of its observations, that has ever moved in this file. */
export const everMoved = new Set<string>();

/**
 * By how much counters and histograms move while something is done, each series as `name{label="value"}` with labels in alphabetical order.
 * What does not move is absent.
 */
export async function moves(
  app: Pick<TestApp, 'adminUrl'>,
  work: () => Promise<unknown>,
): Promise<Record<string, number>> {
  const before = new Map((await scraped(app)).map((sample) => [seriesOf(sample), sample.value]));
  await work();
  const moved: Record<string, number> = {};
  for (const sample of await scraped(app)) {
    if (!/_(?:total|count)$/.test(sample.name)) continue;
    const series = seriesOf(sample);
    const by = sample.value - (before.get(series) ?? 0);
    if (by === 0) continue;
    moved[series] = by;
    everMoved.add(sample.name.replace(/_count$/, ''));
  }
  return moved;
}

export function seriesOf({ name, labels }: Omit<Sample, 'value'>): string {
  const pairs = Object.entries(labels)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([label, value]) => `${label}="${value}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(',')}}`;
}
