import { secondsSince } from '../telemetry/metric.js';
import { jobDuration } from '../telemetry/runtime-metrics.js';
import { inNewTrace, SpanKind } from '../telemetry/spans.js';

/** Times a job and makes a trace of it. @param cause the `traceparent` of the request that led to it */
export function observedJob(job: string, run: () => Promise<void>, cause?: string): Promise<void> {
  return inNewTrace(
    `job ${job}`,
    SpanKind.CONSUMER,
    { 'messaging.system': 'bullmq', 'authplane.job': job },
    () => timed(job, run),
    cause,
  );
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
