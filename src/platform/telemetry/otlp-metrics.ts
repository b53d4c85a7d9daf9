import { ValueType } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  PeriodicExportingMetricReader,
  type DataPoint,
  type Histogram,
  type MetricData,
  type MetricProducer,
} from '@opentelemetry/sdk-metrics';
import type { MetricObjectWithValues, MetricValue, MetricValueWithName } from 'prom-client';
import { registry } from './metric.js';
import { otlpResource, PATIENCE_MILLIS, telling } from './otlp-export.js';

const EVERY_MILLIS = 15_000;

/**
 * What Prometheus would scrape, pushed instead: both see the same numbers, since they are counted once.
 *
 * @param refresh gives the gauges their present values
 * @returns what sends the rest and stops
 */
export function pushMetrics(url: string, issuer: string, refresh: () => Promise<void>): () => Promise<void> {
  const resource = otlpResource(issuer);
  const start = hrTime();
  const producer: MetricProducer = {
    async collect() {
      await refresh();
      const told = (await registry.getMetricsAsJSON()) as MetricObjectWithValues<MetricValue<string>>[];
      const metrics = told.flatMap((metric) => asOtlp(metric, start));
      return { resourceMetrics: { resource, scopeMetrics: [{ scope: { name: 'authplane' }, metrics }] }, errors: [] };
    },
  };
  const reader = new PeriodicExportingMetricReader({
    exporter: telling(new OTLPMetricExporter({ url, timeoutMillis: PATIENCE_MILLIS }), 'metrics'),
    exportIntervalMillis: EVERY_MILLIS,
    exportTimeoutMillis: PATIENCE_MILLIS,
    metricProducers: [producer],
  });
  const provider = new MeterProvider({ resource, readers: [reader] });
  return () => provider.shutdown();
}

type Time = DataPoint<number>['startTime'];

function asOtlp(metric: MetricObjectWithValues<MetricValue<string>>, startTime: Time): MetricData[] {
  if (metric.values.length === 0) return [];
  const descriptor = { name: metric.name, description: metric.help, unit: '', valueType: ValueType.DOUBLE };
  const shared = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE };
  const times = { startTime, endTime: hrTime() };
  const points = (): DataPoint<number>[] =>
    metric.values.map(({ labels, value }) => ({ ...times, attributes: { ...labels }, value }));
  // prom-client's own types say numbers, what it gives are words.
  switch (String(metric.type)) {
    case 'counter':
      return [{ ...shared, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: points() }];
    case 'gauge':
      return [{ ...shared, dataPointType: DataPointType.GAUGE, dataPoints: points() }];
    case 'histogram':
      return [{ ...shared, dataPointType: DataPointType.HISTOGRAM, dataPoints: histogramPoints(metric.values, times) }];
    default:
      return [];
  }
}

/** Prometheus tells each bucket with those below it, OpenTelemetry each by itself. */
function histogramPoints(
  values: readonly MetricValue<string>[],
  times: { startTime: Time; endTime: Time },
): DataPoint<Histogram>[] {
  const series = new Map<
    string,
    { attributes: Record<string, string | number>; cumulative: [number, number][]; sum: number; count: number }
  >();
  for (const { labels, value, metricName = '' } of values as readonly MetricValueWithName<string>[]) {
    const { le, ...attributes } = labels as Record<string, string | number>;
    const key = JSON.stringify(Object.entries(attributes).toSorted());
    const one = series.get(key) ?? { attributes, cumulative: [], sum: 0, count: 0 };
    series.set(key, one);
    if (metricName.endsWith('_sum')) one.sum = value;
    else if (metricName.endsWith('_count')) one.count = value;
    else if (le !== '+Inf') one.cumulative.push([Number(le), value]);
  }
  return [...series.values()].map(({ attributes, cumulative, sum, count }) => {
    const ordered = cumulative.toSorted(([a], [b]) => a - b);
    const upTo = [...ordered.map(([, value]) => value), count];
    const counts = upTo.map((value, index) => value - (upTo[index - 1] ?? 0));
    return {
      ...times,
      attributes,
      value: { buckets: { boundaries: ordered.map(([bound]) => bound), counts }, sum, count },
    };
  });
}

function hrTime(): Time {
  const nanoseconds = BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
  return [Number(nanoseconds / 1_000_000_000n), Number(nanoseconds % 1_000_000_000n)];
}
