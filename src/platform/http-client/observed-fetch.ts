import { secondsSince } from '../telemetry/metric.js';
import { outgoingDuration } from '../telemetry/runtime-metrics.js';
import { inSpan, SpanKind } from '../telemetry/spans.js';
import { FetchFailed, FetchRefused } from './fetch-errors.js';

/**
 * Times a request and gives it a span. Of the URL only the host is told: path and query may hold what somebody typed. No `traceparent` goes
 * along: whom we ask are others, and they have no need to know which of our requests belong together.
 */
export function observedFetch<T extends { readonly status: number }>(
  url: string,
  trust: string,
  method: string,
  work: () => Promise<T>,
): Promise<T> {
  const attributes = (): Record<string, string> => ({
    'http.request.method': method,
    'server.address': URL.canParse(url) ? new URL(url).hostname : '',
    'authplane.trust': trust,
  });
  return inSpan(method, SpanKind.CLIENT, attributes, async (span) => {
    const startedAt = performance.now();
    let outcome = 'error';
    try {
      const answer = await work();
      outcome = `${Math.floor(answer.status / 100)}xx`;
      span?.setAttribute('http.response.status_code', answer.status);
      return answer;
    } catch (error) {
      if (error instanceof FetchFailed || error instanceof FetchRefused) outcome = error.reason;
      throw error;
    } finally {
      outgoingDuration.observe({ trust, outcome }, secondsSince(startedAt));
    }
  });
}
