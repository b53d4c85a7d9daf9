import { secondsSince } from '../telemetry/metric.js';
import { jobDuration } from '../telemetry/runtime-metrics.js';
import { inNewTrace, SpanKind } from '../telemetry/spans.js';

/** Times a job and makes a trace of it, linked to the request that led to it where the outbox has brought its `traceparent`. */
export function observedJob(
  job: string,
  data: { readonly traceparent?: unknown },
  run: () => Promise<void>,
): Promise<void> {
  const about = { 'messaging.system': 'bullmq', 'authplane.job': job };
  const cause = typeof data.traceparent === 'string' ? data.traceparent : undefined;
  return inNewTrace(`job ${job}`, SpanKind.CONSUMER, about, () => timed(job, run), cause);
}

async function timed(job: string, run: () => Promise<void>): Promise<void> {
  const startedAt = performance.now();
  let outcome = 'failed';
  try {
    await run();
    outcome = 'completed';
  } finally {
    jobDuration.observe({ job_name: job, outcome }, secondsSince(startedAt));
  }
}
