import { IsMetricsPath, IsOtlpEndpoint } from './setting-checks.js';
import { boolean, number, section, text } from './setting.js';

const ENDPOINT =
  'An OpenTelemetry collector that takes OTLP over HTTP: a URL, or host:port, such as collector:4318. Below it lies';

export class LogOutputsSettings {
  @boolean('stdout', { default: true, env: 'AUTHPLANE_LOG_STDOUT', about: 'Write to standard output.' })
  readonly stdout: boolean;

  @boolean('otel', { default: false, env: 'AUTHPLANE_LOG_OTEL', about: 'Send to otel_endpoint.' })
  readonly otel: boolean;

  @text('otel_endpoint', { env: 'AUTHPLANE_LOG_OTEL_ENDPOINT', about: `${ENDPOINT} /v1/logs.` })
  @IsOtlpEndpoint()
  readonly otelEndpoint?: string;

  @boolean('insecure', {
    default: false,
    env: 'AUTHPLANE_LOG_OTEL_INSECURE',
    about: 'Send over http; an otel_endpoint with http:// needs it.',
  })
  readonly insecure: boolean;
}

export class LoggingSettings {
  @text('level', {
    default: 'info',
    oneOf: ['debug', 'info', 'warn', 'error'],
    env: 'AUTHPLANE_LOG_LEVEL',
    about: 'The least important line that is written.',
  })
  readonly level: 'debug' | 'info' | 'warn' | 'error';

  @text('format', {
    default: 'json',
    oneOf: ['json', 'text'],
    env: 'AUTHPLANE_LOG_FORMAT',
    about: 'Of standard output. json: one object per line; text: for a person at a terminal.',
  })
  readonly format: 'json' | 'text';

  @section('outputs', () => LogOutputsSettings, 'Where the lines go.')
  readonly outputs: LogOutputsSettings;
}

export class MetricsSettings {
  @text('provider', {
    default: 'prometheus',
    oneOf: ['prometheus', 'otel', 'both', 'none'],
    env: 'AUTHPLANE_METRICS_PROVIDER',
    about: 'prometheus: served on the administration listener; otel: sent to otel_endpoint; both; none.',
  })
  readonly provider: 'prometheus' | 'otel' | 'both' | 'none';

  @text('path', {
    default: '/metrics',
    env: 'AUTHPLANE_METRICS_PATH',
    about: 'Where the administration listener serves them, without a key.',
  })
  @IsMetricsPath()
  readonly path: string;

  @text('otel_endpoint', { env: 'AUTHPLANE_METRICS_OTEL_ENDPOINT', about: `${ENDPOINT} /v1/metrics.` })
  @IsOtlpEndpoint()
  readonly otelEndpoint?: string;

  @boolean('insecure', {
    default: false,
    env: 'AUTHPLANE_METRICS_INSECURE',
    about: 'Send over http; an otel_endpoint with http:// needs it.',
  })
  readonly insecure: boolean;
}

export class TracingSettings {
  @boolean('enabled', {
    default: false,
    env: 'AUTHPLANE_TRACING_ENABLED',
    about: 'Send spans of requests, statements, jobs and outgoing requests to the endpoint.',
  })
  readonly enabled: boolean;

  @text('endpoint', { env: 'AUTHPLANE_TRACING_ENDPOINT', about: `${ENDPOINT} /v1/traces.` })
  @IsOtlpEndpoint()
  readonly endpoint?: string;

  @boolean('insecure', {
    default: false,
    env: 'AUTHPLANE_TRACING_INSECURE',
    about: 'Send over http; an endpoint with http:// needs it.',
  })
  readonly insecure: boolean;

  @number('sample_rate', {
    default: 1,
    min: 0,
    max: 1,
    env: 'AUTHPLANE_TRACING_SAMPLE_RATE',
    about: 'The share of traces that are kept, at most, whatever a caller asks.',
  })
  readonly sampleRate: number;
}

export class ObservabilitySettings {
  @section('logging', () => LoggingSettings, 'The log.')
  readonly logging: LoggingSettings;

  @section('metrics', () => MetricsSettings, 'Counters, durations and gauges, for Prometheus or OpenTelemetry.')
  readonly metrics: MetricsSettings;

  @section('tracing', () => TracingSettings, 'OpenTelemetry traces.')
  readonly tracing: TracingSettings;
}
