import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { Config } from '../../config/config.js';
import type { LeanEndpoint } from '../http/lean.js';
import { GaugeReadings } from './gauge-readings.js';
import { registry } from './metric.js';

/**
 * The metrics as Prometheus reads them, on the administration listener. Without a key, like the probes: nothing in them is secret, and
 * what scrapes them should hold no key that administers.
 */
@Injectable()
export class MetricsEndpoint implements LeanEndpoint {
  readonly route: string;
  /** Whether it is to be there at all. */
  readonly served: boolean;

  constructor(
    private readonly gauges: GaugeReadings,
    { observability: { metrics } }: Config,
  ) {
    this.route = `GET ${metrics.path}`;
    this.served = metrics.provider === 'prometheus' || metrics.provider === 'both';
  }

  async respond(_req: Request, res: Response): Promise<void> {
    await this.gauges.refresh();
    const text = await registry.metrics();
    res.writeHead(200, { 'Content-Type': registry.contentType, 'Cache-Control': 'no-store' }).end(text);
  }
}
