import { Injectable, Logger, type BeforeApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Config } from '../../config/config.js';
import { otlpUrl } from '../../config/otlp-endpoint.js';
import { useTracer } from './spans.js';

/** Switches tracing on, where that is wanted. What it needs for that is loaded then only. */
@Injectable()
export class Tracing implements OnModuleInit, BeforeApplicationShutdown {
  readonly #log = new Logger('Telemetry');
  #stop: (() => Promise<void>) | undefined;

  constructor(private readonly config: Config) {}

  async onModuleInit(): Promise<void> {
    const { enabled, endpoint = '', insecure, sampleRate } = this.config.observability.tracing;
    const url = enabled ? otlpUrl(endpoint, insecure, 'traces') : undefined;
    if (url === undefined) return;
    const { startTracer } = await import('./otlp-traces.js');
    const { tracer, stop } = startTracer(url, this.config.server.issuer, sampleRate);
    useTracer(tracer);
    this.#stop = stop;
  }

  /** The last spans leave with it, if the collector is there. */
  async beforeApplicationShutdown(): Promise<void> {
    if (!this.#stop) return;
    useTracer(undefined);
    await this.#stop().catch((error: unknown) => this.#log.warn(`the last spans were not sent: ${String(error)}`));
  }
}
