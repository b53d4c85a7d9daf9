import { pino, type DestinationStream } from 'pino';
import type { Config } from '../../config/config.js';
import type { LoggingSettings } from '../../config/observability-settings.js';
import { otlpUrl } from '../../config/otlp-endpoint.js';
import { JsonLogger, type LogLine } from './json-logger.js';

/**
 * A line for each write costs a busy server as much as making a token. What waits is written when the process ends in order; one that is
 * killed loses this much of its log, and nothing of its audit, which is in the database.
 */
const BUFFERING = { minLength: 4096, periodicFlush: 100 };

export interface Log {
  readonly logger: JsonLogger;
  /** Sends what a collector has not been sent yet. Standard output needs none: it is written when the process ends. */
  close(): Promise<void>;
}

/** The process's log, to where the settings want it. What a collector needs is loaded only if there is one. */
export async function openLog({ observability: { logging }, server }: Config): Promise<Log> {
  const { stdout, otel, otelEndpoint = '', insecure } = logging.outputs;
  const url = otel ? otlpUrl(otelEndpoint, insecure, 'logs') : undefined;
  const output = stdout ? standardOutput(logging.format) : nowhere;
  if (url === undefined) return { logger: new JsonLogger(logging.level, output), close: async () => {} };
  const collector = (await import('./otlp-logs.js')).logsTo(url, server.issuer);
  const write = (line: string): void => {
    output.write(line);
    collector.write(line);
  };
  return { logger: new JsonLogger(logging.level, { write }), close: () => collector.close() };
}

const nowhere: DestinationStream = { write: () => {} };

const standardOutput = (format: LoggingSettings['format']): DestinationStream =>
  format === 'text'
    ? { write: (line) => void process.stdout.write(asText(line)) }
    : pino.destination({ dest: 1, sync: false, ...BUFFERING });

/** For a person who reads along. */
function asText(line: string): string {
  const { time, level, context = '', msg, request_id: requestId, ...members } = JSON.parse(line) as LogLine;
  const more = Object.keys(members).length > 0 ? ` ${JSON.stringify(members)}` : '';
  return `${time.slice(11, 23)} ${level.padEnd(5)} ${context}: ${msg}${more}${requestId ? ` [${requestId}]` : ''}\n`;
}
