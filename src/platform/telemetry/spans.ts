import {
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Link,
  type Span,
  type SpanContext,
  type Tracer,
} from '@opentelemetry/api';

export { SpanKind, type Attributes, type Span };

/** The process's, as the log is; undefined while tracing is off, and then nothing here does anything. */
let tracer: Tracer | undefined;

export function useTracer(next: Tracer | undefined): void {
  tracer = next;
}

export const isTracing = (): boolean => tracer !== undefined;

/**
 * Runs `work` in a span of the trace that is being made; outside of one it just runs. An error marks the span with its name alone: messages
 * may quote what was typed.
 *
 * @param attributes is asked only when the span is kept
 */
export function inSpan<T>(
  name: string,
  kind: SpanKind,
  attributes: () => Attributes,
  work: (span?: Span) => Promise<T>,
): Promise<T> {
  if (tracer === undefined || !trace.getActiveSpan()?.isRecording()) return work();
  return running(tracer.startSpan(name, { kind, attributes: attributes() }), context.active(), work);
}

/** A span that whoever asked for it ends; for what gives no promise of its own. */
export function childSpan(name: string, kind: SpanKind, attributes: Attributes): Span | undefined {
  if (tracer === undefined || !trace.getActiveSpan()?.isRecording()) return undefined;
  return tracer.startSpan(name, { kind, attributes });
}

/** Runs `work` in a span that begins a trace. @param cause a `traceparent` that led to it */
export function inNewTrace<T>(
  name: string,
  kind: SpanKind,
  attributes: Attributes,
  work: () => Promise<T>,
  cause?: string,
): Promise<T> {
  if (tracer === undefined) return work();
  const links = linksTo(readTraceparent(cause));
  return running(tracer.startSpan(name, { kind, attributes, links, root: true }), ROOT_CONTEXT, work);
}

/**
 * A span for a request that came in. Only who is trusted gets it into a trace of theirs; a stranger's is linked to, so that strangers
 * neither join traces to ours nor decide what is kept.
 */
export function openRequestSpan(
  name: string,
  attributes: Attributes,
  traceparent: string | undefined,
  trusted: boolean,
): Span | undefined {
  if (tracer === undefined) return undefined;
  const caller = readTraceparent(traceparent);
  const parent = trusted && caller ? trace.setSpanContext(ROOT_CONTEXT, caller) : ROOT_CONTEXT;
  return tracer.startSpan(name, { kind: SpanKind.SERVER, attributes, links: trusted ? [] : linksTo(caller) }, parent);
}

/** Makes `span` the one that what `work` begins belongs to. */
export const within = (span: Span, work: () => void): void => context.with(trace.setSpan(context.active(), span), work);

export function fail(span: Span, errorType: string): void {
  span.setAttribute('error.type', errorType);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** For the lines of the log. */
export function currentTrace(): { trace_id: string; span_id: string } | undefined {
  const span = tracer && trace.getActiveSpan()?.spanContext();
  return span && { trace_id: span.traceId, span_id: span.spanId };
}

/** What names the open span to whoever goes on later; undefined outside of a trace that is kept. */
export function currentTraceparent(): string | undefined {
  const span = tracer && trace.getActiveSpan();
  if (!span?.isRecording()) return undefined;
  const { traceId, spanId } = span.spanContext();
  return `00-${traceId}-${spanId}-01`;
}

async function running<T>(span: Span, parent: Context, work: (span: Span) => Promise<T>): Promise<T> {
  try {
    return await context.with(trace.setSpan(parent, span), work, undefined, span);
  } catch (error) {
    fail(span, error instanceof Error ? error.name : 'unknown');
    throw error;
  } finally {
    span.end();
  }
}

const linksTo = (caller: SpanContext | undefined): Link[] => (caller ? [{ context: caller }] : []);

const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;

/** W3C Trace Context §3.2; later versions are read as none. */
function readTraceparent(written: string | undefined): SpanContext | undefined {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(written ?? '') ?? [];
  const isSampled = (Number.parseInt(flags, 16) & TraceFlags.SAMPLED) === TraceFlags.SAMPLED;
  const caller = { traceId, spanId, traceFlags: isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE, isRemote: true };
  return trace.isSpanContextValid(caller) ? caller : undefined;
}
