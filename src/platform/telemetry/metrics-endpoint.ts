import cluster from 'node:cluster';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Config } from '../../config/config.js';
import type { LeanEndpoint } from '../http/lean.js';
import { GaugeReadings } from './gauge-readings.js';
import { registry } from './metric.js';
import { WorkerMetrics } from './metrics-of-workers.js';

/**
 * The metrics as Prometheus reads them, on the administration listener. Without a key, like the probes: nothing in them is secret, and
 * what scrapes them should hold no key that administers.
 */
@Injectable()
export class MetricsEndpoint implements LeanEndpoint {
  readonly route: string;
  /** Whether it is to be there at all. */
  readonly served: boolean;
  /** Where this process is one of `server.workers`. */
  readonly #workers = cluster.isWorker ? new WorkerMetrics(() => this.#own()) : undefined;

  constructor(
    private readonly gauges: GaugeReadings,
    { observability: { metrics } }: Config,
  ) {
    this.route = `GET ${metrics.path}`;
    this.served = metrics.provider === 'prometheus' || metrics.provider === 'both';
  }

  async respond(_req: Request, res: Response): Promise<void> {
    const text = await (this.#workers?.ofAll() ?? this.#own());
    res.writeHead(200, { 'Content-Type': registry.contentType, 'Cache-Control': 'no-store' }).end(text);
  }

  async #own(): Promise<string> {
    await this.gauges.refresh();
    return registry.metrics();
  }
}
