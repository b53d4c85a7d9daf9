import type { NextFunction, Request, Response } from 'express';
import { fail, isTracing, openRequestSpan, within, type Span } from '../telemetry/spans.js';
import { httpDuration, httpRequests } from '../telemetry/runtime-metrics.js';
import { secondsSince } from '../telemetry/metric.js';
import { listenerOf } from './listeners.js';
import { requestContext } from './request-context.js';

interface RequestLabels {
  readonly http_method: string;
  readonly http_route: string;
  readonly http_status_code: string;
}

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const known = new Map<string, RequestLabels>();
/** Nginx' number for it. */
const CALLER_LEFT = 499;

/** Counts and times every request, and opens its span. */
export function observe(req: Request, res: Response, next: NextFunction): void {
  const startedAt = performance.now();
  const span = isTracing() ? spanOf(req) : undefined;
  res.once('close', () => {
    const labels = labelsOf(req, res);
    httpRequests.inc(labels);
    httpDuration.observe(labels, secondsSince(startedAt));
    if (span) end(span, labels);
  });
  if (span) within(span, next);
  else next();
}

function labelsOf(req: Request, res: Response): RequestLabels {
  const { path: pattern } = (req.route ?? {}) as { path?: unknown };
  const method = METHODS.has(req.method) ? req.method : 'other';
  const route = typeof pattern === 'string' ? pattern : 'other';
  const status = res.writableFinished ? res.statusCode : CALLER_LEFT;
  const key = `${method} ${route} ${status}`;
  let labels = known.get(key);
  if (!labels) known.set(key, (labels = { http_method: method, http_route: route, http_status_code: String(status) }));
  return labels;
}

/** Neither path nor query: either may hold what somebody typed. The pattern of the route is known at the end. */
function spanOf(req: Request): Span | undefined {
  const method = METHODS.has(req.method) ? req.method : 'other';
  const trustsPeer = req.app.get('trust proxy fn') as (address: string | undefined, hop: number) => boolean;
  return openRequestSpan(
    method,
    {
      'http.request.method': method,
      'url.scheme': 'http',
      'network.protocol.version': req.httpVersion,
      'authplane.listener': listenerOf(req),
      'authplane.request_id': requestContext()?.requestId,
    },
    req.get('traceparent'),
    trustsPeer(req.socket.remoteAddress, 0),
  );
}

function end(span: Span, { http_method, http_route, http_status_code }: RequestLabels): void {
  span.updateName(`${http_method} ${http_route}`);
  span.setAttributes({ 'http.route': http_route, 'http.response.status_code': Number(http_status_code) });
  if (Number(http_status_code) >= 500) fail(span, http_status_code);
  span.end();
}
