import { collectDefaultMetrics } from 'prom-client';
import { version } from '../../config/version.js';
import { registry } from './metric.js';
import { buildInfo } from './runtime-metrics.js';

let collecting = false;

/** What Node tells of the process, under the names that prom-client gives it: memory, processor time, event loop, garbage, handles. */
export function collectProcessMetrics(): void {
  if (collecting) return;
  collecting = true;
  collectDefaultMetrics({ register: registry });
  buildInfo.set({ version, node: process.version }, 1);
}
