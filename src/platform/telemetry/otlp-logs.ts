import { setTimeout as pause } from 'node:timers/promises';
import { ROOT_CONTEXT, trace, TraceFlags, type Context } from '@opentelemetry/api';
import { SeverityNumber } from '@opentelemetry/api-logs';
import { OTLPLogExporter } from '@opentelemetry/exporter-logs-otlp-proto';
import { BatchLogRecordProcessor, LoggerProvider } from '@opentelemetry/sdk-logs';
import type { DestinationStream } from 'pino';
import { version } from '../../config/version.js';
import type { LogLine } from './json-logger.js';
import { otlpResource, PATIENCE_MILLIS, telling } from './otlp-export.js';

const SEVERITIES: Readonly<Record<string, SeverityNumber>> = {
  debug: SeverityNumber.DEBUG,
  info: SeverityNumber.INFO,
  warn: SeverityNumber.WARN,
  error: SeverityNumber.ERROR,
  fatal: SeverityNumber.FATAL,
};

/**
 * Lines of the log as records for a collector (OpenTelemetry Logs Data Model). They are taken as they were written, so that nothing leaves
 * that the log would not show. Nobody waits for a collector that is away.
 *
 * @returns `close` sends what waits, and gives that up after five seconds
 */
export function logsTo(url: string, issuer: string): DestinationStream & { close(): Promise<void> } {
  const exporter = telling(new OTLPLogExporter({ url, timeoutMillis: PATIENCE_MILLIS }), 'lines of the log');
  const provider = new LoggerProvider({
    resource: otlpResource(issuer),
    processors: [new BatchLogRecordProcessor({ exporter, exportTimeoutMillis: PATIENCE_MILLIS })],
  });
  const logger = provider.getLogger('authplane', version);
  return {
    write(line) {
      const { time, level, msg, trace_id: traceId, span_id: spanId, ...attributes } = JSON.parse(line) as LogLine;
      logger.emit({
        timestamp: new Date(time),
        severityNumber: SEVERITIES[level],
        severityText: level,
        body: msg,
        attributes,
        context: traceId && spanId ? spanContext(traceId, spanId) : ROOT_CONTEXT,
      });
    },
    close: async () => {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, pause(PATIENCE_MILLIS, undefined, { ref: false })]);
    },
  };
}

const spanContext = (traceId: string, spanId: string): Context =>
  trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.NONE });
