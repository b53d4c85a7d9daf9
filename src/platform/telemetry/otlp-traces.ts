import { context, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { version } from '../../config/version.js';
import { otlpResource, PATIENCE_MILLIS, telling } from './otlp-export.js';

/**
 * @param sampleRate the share of traces that are kept. A caller may ask for less, and never for more
 * @returns what makes spans; and what sends the rest and stops
 */
export function startTracer(
  url: string,
  issuer: string,
  sampleRate: number,
): { tracer: Tracer; stop: () => Promise<void> } {
  const ratio = new TraceIdRatioBasedSampler(sampleRate);
  const provider = new BasicTracerProvider({
    resource: otlpResource(issuer),
    sampler: new ParentBasedSampler({ root: ratio, remoteParentSampled: ratio }),
    spanProcessors: [
      new BatchSpanProcessor(telling(new OTLPTraceExporter({ url, timeoutMillis: PATIENCE_MILLIS }), 'spans'), {
        exportTimeoutMillis: PATIENCE_MILLIS,
      }),
    ],
  });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  return { tracer: provider.getTracer('authplane', version), stop: () => provider.shutdown() };
}
