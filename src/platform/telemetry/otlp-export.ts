import { hostname } from 'node:os';
import { Logger } from '@nestjs/common';
import { ExportResultCode, type ExportResult } from '@opentelemetry/core';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { version } from '../../config/version.js';

/** For one message to a collector, with all attempts. What it has not taken by then is dropped. */
export const PATIENCE_MILLIS = 5_000;

/** Who sends. Two processes on one host differ by their pid (OpenTelemetry semantic conventions, service.*). */
export const otlpResource = (issuer: string): Resource =>
  resourceFromAttributes({
    'service.name': 'authplane',
    'service.namespace': new URL(issuer).host,
    'service.version': version,
    'service.instance.id': `${hostname()}:${process.pid}`,
    'process.runtime.name': 'nodejs',
    'process.runtime.version': process.versions.node,
  });

interface Exporter<Items> {
  export(items: Items, done: (result: ExportResult) => void): void;
}

/** Has the log told once that a collector takes nothing, and once that it does again. @param what as the line calls it */
export function telling<Items, E extends Exporter<Items>>(exporter: E & Exporter<Items>, what: string): E {
  const log = new Logger('Telemetry');
  const send = exporter.export.bind(exporter);
  let failing = false;
  exporter.export = (items, done) =>
    send(items, (result) => {
      const failed = result.code !== ExportResultCode.SUCCESS;
      if (failed && !failing) log.warn({ message: `the collector takes no ${what}`, error: result.error?.message });
      if (!failed && failing) log.log(`the collector takes ${what} again`);
      failing = failed;
      done(result);
    });
  return exporter;
}
