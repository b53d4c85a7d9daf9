import { registry } from './metric.js';
import { collectProcessMetrics } from './process-metrics.js';
import './protocol-metrics.js';
import './runtime-metrics.js';

export interface MetricEntry {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly labels: readonly string[];
}

/** Every metric there is, in the order in which they are declared. */
export function metricEntries(): MetricEntry[] {
  collectProcessMetrics();
  // What prom-client knows of a metric and does not say in its types.
  return (registry.getMetricsAsArray() as unknown as (MetricEntry & { labelNames: string[] })[]).map(
    ({ name, type, help, labelNames }) => ({ name, type, help, labels: labelNames }),
  );
}

const isOurs = ({ name }: MetricEntry): boolean => /^auth(?:server|plane)_/.test(name);

/** docs/reference/metrics.md. */
export function renderMetricsReference(): string {
  const entries = metricEntries();
  return [
    '<!-- Generated from src/platform/telemetry. Do not edit: `UPDATE_REFERENCE=1 npx vitest run src/platform/telemetry` -->',
    '# Metrics',
    '',
    'What `/metrics` of the administration listener shows, and what is sent with `observability.metrics.provider` otel or both.',
    'How to have them scraped, dashboards and alerts: [operations](../guides/operations.md).',
    '',
    'Durations have the buckets 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5 and 10 seconds. Gauges of the whole database are the same on',
    'every replica: take the maximum, not the sum. What could not be read is absent.',
    '',
    '## Of the authorization server',
    '',
    ...tableOf(entries.filter(isOurs)),
    '',
    '## Of the process',
    '',
    ...tableOf(entries.filter((entry) => !isOurs(entry))),
    '',
  ].join('\n');
}

const tableOf = (entries: readonly MetricEntry[]): string[] => [
  '| Name | Type | Labels | |',
  '|---|---|---|---|',
  ...entries.map(
    ({ name, type, labels, help }) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help.replaceAll('|', '\\|')} |`,
  ),
];
