import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { metricEntries, renderMetricsReference } from './metrics-reference.js';

const document = join(import.meta.dirname, '../../../docs/reference/metrics.md');
const update = 'UPDATE_REFERENCE=1 npx vitest run src/platform/telemetry';

if (process.env.UPDATE_REFERENCE === '1') writeFileSync(document, renderMetricsReference());

describe('the metrics reference', () => {
  it('is what is declared', () => {
    expect(readFileSync(document, 'utf8'), `out of date: ${update}`).toBe(renderMetricsReference());
  });

  it('has names that say what is counted, and in which unit', () => {
    const ours = metricEntries().filter(({ name }) => /^auth(?:server|plane)_/.test(name));
    const misnamed = ours.filter(
      ({ name, type }) =>
        (type === 'counter') !== name.endsWith('_total') || (type === 'histogram' && !name.endsWith('_seconds')),
    );
    expect(misnamed).toEqual([]);
    expect(ours.filter(({ help }) => !/^[A-Z0-9].*\.$/.test(help))).toEqual([]);
  });

  it('has no label that Prometheus gives by itself', () => {
    const taken = ['job', 'instance', 'namespace', 'pod', 'le', 'quantile'];
    expect(metricEntries().filter(({ labels }) => labels.some((label) => taken.includes(label)))).toEqual([]);
  });
});
