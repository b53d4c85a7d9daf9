import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse } from 'yaml';
import { describe, expect, it } from 'vitest';
// @ts-expect-error it is JavaScript, so that it runs by itself
import { dashboards } from '../deploy/grafana/dashboards.mjs';
import type { Job } from '../src/platform/queue/job.js';
import { registry } from '../src/platform/telemetry/metric.js';
import { metricEntries, type MetricEntry } from '../src/platform/telemetry/metrics-reference.js';
import { selectorsOf, type Selector } from './prometheus.js';

interface Rule {
  readonly alert?: string;
  readonly record?: string;
  readonly expr: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string; readonly legendFormat: string }[];
}

const { groups } = parse(readFileSync('deploy/prometheus/alerts.yaml', 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);
const alerts = rules.filter(({ alert }) => alert !== undefined);
const records = new Set(rules.map(({ record }) => record));
const guide = readFileSync('docs/guides/operations.md', 'utf8');
const boards = Object.entries(dashboards as Record<string, { panels: Panel[] }>);
const panels = boards.flatMap(([, board]) => board.panels);

/** Grafana's variables stand for times and for names. */
const asPromql = (query: string): string =>
  query.replaceAll(/\$__(?:rate_interval|range)/g, '5m').replaceAll(/\$(?:namespace|job)/g, '.*');

const queries = [
  ...rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? '', query: expr })),
  ...panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ where: title, query: asPromql(expr) }))),
];
const used = queries.flatMap(({ where, query }) => selectorsOf(query).map((selector) => ({ where, selector })));

/** What Prometheus adds to every series of a target. */
const TARGET = ['job', 'namespace', 'instance'];
const metrics = new Map<string, MetricEntry>(metricEntries().map((entry) => [entry.name, entry]));

function metricOf(name: string): MetricEntry | undefined {
  const base = name.replace(/_(?:bucket|sum|count)$/, '');
  const whole = metrics.get(name);
  return whole ?? (metrics.get(base)?.type === 'histogram' ? metrics.get(base) : undefined);
}

function labelsOf(name: string): readonly string[] {
  return [...TARGET, ...(metricOf(name)?.labels ?? []), ...(name.endsWith('_bucket') ? ['le'] : [])];
}

describe('alerts and dashboards', () => {
  it('name metrics that there are', () => {
    const unknown = used.filter(({ selector: { metric } }) => !metricOf(metric) && !records.has(metric));
    expect(unknown.map(({ where, selector }) => `${where}: ${selector.metric}`)).toEqual([]);
    expect(used.length).toBeGreaterThan(100);
  });

  it('select and group by labels that these metrics have', () => {
    const wrong = used.flatMap(({ where, selector: { metric, matchers, grouping } }) =>
      [...matchers.map(({ label }) => label), ...grouping]
        .filter((label) => !labelsOf(metric).includes(label))
        .map((label) => `${where}: ${metric} has no ${label}`),
    );
    expect(wrong).toEqual([]);
  });

  it('select values that these labels take, where all of them are known', async () => {
    const wrong: string[] = [];
    for (const { where, selector } of used) wrong.push(...(await strangeValues(selector)).map((s) => `${where}: ${s}`));
    expect(wrong).toEqual([]);
  });

  it('take the workers of a replica together, and count them as one', () => {
    const each = queries.filter(({ query }) => /^(?:[a-z]\w*|count\([a-z]\w*)\{/.test(query));
    expect(each).toEqual([]);
  });

  it('show every metric of ours on a dashboard', () => {
    const shown = new Set(
      panels.flatMap(({ targets = [] }) =>
        targets.flatMap(({ expr }) => selectorsOf(asPromql(expr)).map(({ metric }) => metricOf(metric)?.name)),
      ),
    );
    const ours = [...metrics.keys()].filter((name) => /^auth(?:server|plane)_/.test(name));
    expect(ours.filter((name) => !shown.has(name))).toEqual([]);
  });

  it('use only what the docs name', () => {
    const reference = readFileSync('docs/reference/metrics.md', 'utf8');
    expect([...metrics.keys()].filter((name) => !reference.includes(`| \`${name}\` |`))).toEqual([]);
    const named = guide.match(/\bauth(?:server|plane)_[a-z0-9_]+/g) ?? [];
    expect(named.filter((name) => !metricOf(name))).toEqual([]);
  });
});

describe("the guide's table of jobs", () => {
  it('names those that there are, as they are called', async () => {
    const jobs: string[] = [];
    for (const file of readdirSync('src', { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.job.ts')) continue;
      const [job] = Object.values((await import(resolve('src', file))) as Record<string, new () => Job>);
      // Its name needs nothing of what it is given.
      if (job) jobs.push(new job().name);
    }
    const production = readFileSync('docs/guides/production.md', 'utf8');
    const rows = /^## Jobs$[^]*?^(\| Job [^]*?)\n\n/m.exec(production)?.[1] ?? '';
    const named = [...rows.matchAll(/`([a-z]+(?:-[a-z]+)+)`/g)].map(([, name]) => name);
    expect(named.toSorted()).toEqual(jobs.toSorted());
  });
});

describe('an alert', () => {
  it.each(alerts)('$alert has a severity, a summary, and a heading that its runbook_url leads to', (rule) => {
    const { alert = '', labels, annotations } = rule;
    expect(['critical', 'warning']).toContain(labels?.['severity']);
    expect(annotations?.['summary']).toMatch(/\S/);
    expect(annotations?.['runbook_url']).toBe(`docs/guides/operations.md#${alert.toLowerCase()}`);
    expect(guide.split('\n')).toContain(`### ${alert}`);
  });

  it('is there for every heading of the runbook', () => {
    const runbook = guide.slice(guide.indexOf('## When an alert fires'));
    const headings = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    expect(headings.toSorted()).toEqual(alerts.map(({ alert }) => alert).toSorted());
  });

  it('tells in its summary only of labels that its expression leaves', () => {
    const wrong = alerts.filter(({ expr, annotations }) => {
      const told = [...(annotations?.['summary'] ?? '').matchAll(/\$labels\.(\w+)/g)].map(([, label]) => label ?? '');
      const left = selectorsOf(expr).flatMap(({ grouping }) => grouping);
      return told.some((label) => !left.includes(label));
    });
    expect(wrong.map(({ alert }) => alert)).toEqual([]);
  });
});

describe.each(boards)('the dashboard %s', (file, board) => {
  it('is what dashboards.mjs makes', () => {
    const written: unknown = JSON.parse(readFileSync(`deploy/grafana/${file}`, 'utf8'));
    expect(written, 'out of date: node deploy/grafana/dashboards.mjs').toEqual(board);
  });

  it('has its panels side by side within 24 columns, each with a title of its own', () => {
    const overlaps = board.panels.filter(({ id, gridPos: a }) =>
      board.panels.some(
        ({ id: other, gridPos: b }) =>
          other !== id && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h,
      ),
    );
    expect(overlaps.map(({ title }) => title)).toEqual([]);
    expect(board.panels.filter(({ gridPos: { x, w } }) => x + w > 24)).toEqual([]);
    expect(new Set(board.panels.map(({ title }) => title)).size).toBe(board.panels.length);
  });

  it('tells series apart by labels that are left', () => {
    const wrong = board.panels.flatMap(({ title, targets = [] }) =>
      targets.flatMap(({ expr, legendFormat }) => {
        const left = selectorsOf(asPromql(expr)).flatMap(({ metric, grouping }) =>
          grouping.length > 0 ? grouping : labelsOf(metric),
        );
        const told = [...legendFormat.matchAll(/\{\{(\w+)\}\}/g)].map(([, label]) => label ?? '');
        return told.filter((label) => !left.includes(label)).map((label) => `${title}: ${label}`);
      }),
    );
    expect(wrong).toEqual([]);
  });
});

/** A metric whose series are all there from the beginning takes no other values than theirs. */
async function strangeValues({ metric: name, matchers }: Selector): Promise<string[]> {
  const entry = metricOf(name);
  const metric = entry?.type === 'counter' ? registry.getSingleMetric(entry.name) : undefined;
  const series = metric ? (await metric.get()).values : [];
  if (series.length === 0) return [];
  return matchers
    .filter(({ label, op }) => op === '=' && entry?.labels.includes(label))
    .filter(({ label, value }) => !series.some(({ labels }) => (labels as Record<string, unknown>)[label] === value))
    .map(({ label, value }) => `${name} is never ${label}="${value}"`);
}
