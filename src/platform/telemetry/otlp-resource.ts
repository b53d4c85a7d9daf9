import { hostname } from 'node:os';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { version } from '../../config/version.js';

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
