import { Global, Module } from '@nestjs/common';
import { GaugeReadings } from './gauge-readings.js';
import { MetricsEndpoint } from './metrics-endpoint.js';
import { MetricsPush } from './metrics-push.js';
import { Tracing } from './tracing.js';

/**
 * Telemetry — what the server says about itself while it works.
 * Owns: every metric there is and how it leaves, traces, the log. Not here: when something is counted, which is one line where it happens.
 * Metrics and the tracer are the process's, as the log is: whoever counts needs nobody to hand them in.
 * Holds always: a label is a word of ours or a slug of an operator's, never what a stranger typed; no span or line has a secret, a token, an
 * e-mail address or a query; what is switched off costs nothing.
 */
@Global()
@Module({
  providers: [GaugeReadings, MetricsEndpoint, MetricsPush, Tracing],
  exports: [GaugeReadings, MetricsEndpoint],
})
export class TelemetryModule {}
