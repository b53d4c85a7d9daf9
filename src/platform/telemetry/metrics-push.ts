import { Injectable, Logger, type BeforeApplicationShutdown, type OnApplicationBootstrap } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { otlpUrl } from '../../config/otlp-endpoint.js';
import { GaugeReadings } from './gauge-readings.js';
import { collectProcessMetrics } from './process-metrics.js';

/** Sends the metrics to an OpenTelemetry collector, where that is wanted. What it needs for that is loaded then only. */
@Injectable()
export class MetricsPush implements OnApplicationBootstrap, BeforeApplicationShutdown {
  readonly #log = new Logger('Telemetry');
  #stop: (() => Promise<void>) | undefined;

  constructor(
    private readonly config: Config,
    private readonly gauges: GaugeReadings,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { provider, otelEndpoint = '', insecure } = this.config.observability.metrics;
    if (provider === 'none') return;
    collectProcessMetrics();
    const url = otlpUrl(otelEndpoint, insecure, 'metrics');
    if (provider === 'prometheus' || url === undefined) return;
    const { pushMetrics } = await import('./otlp-metrics.js');
    this.#stop = pushMetrics(url, this.config.server.issuer, () => this.gauges.refresh());
  }

  /** The last minute's events leave with it, if the collector is there. */
  async beforeApplicationShutdown(): Promise<void> {
    await this.#stop?.().catch((error: unknown) => this.#log.warn(`the last metrics were not sent: ${String(error)}`));
  }
}
