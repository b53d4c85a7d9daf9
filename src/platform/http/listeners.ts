import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { applyDecorators, Controller, UseFilters, VERSION_NEUTRAL } from '@nestjs/common';
import { EitherErrorFilter } from './either-error-filter.js';
import { OAuthErrorFilter } from './oauth-error-filter.js';
import { PageErrorFilter } from './page-error-filter.js';
import { ProblemFilter } from './problem-filter.js';

/**
 * One Nest application behind two HTTP servers: to Nest a listener is a "version" of a route, so that a path of one listener
 * is simply unknown on the other (P6).
 */
export type ListenerName = 'public' | 'admin';

const LISTENER = Symbol('listener');

type Marked = IncomingMessage & { [LISTENER]?: ListenerName };

export const listenerOf = (req: unknown): ListenerName => (req as Marked)[LISTENER] ?? 'public';

/** A JSON endpoint of the public listener; failures leave as RFC 6749 §5.2 bodies. */
export const ProtocolController = (path = ''): ClassDecorator =>
  applyDecorators(Controller({ path, version: 'public' }), UseFilters(OAuthErrorFilter));

/** A page of the public listener; failures leave as pages. */
export const PageController = (path = ''): ClassDecorator =>
  applyDecorators(Controller({ path, version: 'public' }), UseFilters(PageErrorFilter));

/** A page of the public listener that is JSON to programs; failures leave as whichever is asked for. */
export const EitherController = (path = ''): ClassDecorator =>
  applyDecorators(Controller({ path, version: 'public' }), UseFilters(EitherErrorFilter));

/** An endpoint of the operator's listener; failures leave as RFC 9457 problems. */
export const AdminController = (path = ''): ClassDecorator =>
  applyDecorators(Controller({ path, version: 'admin' }), UseFilters(ProblemFilter));

/** The same route on both listeners: health. */
export const BothController = (path = ''): ClassDecorator =>
  applyDecorators(Controller({ path, version: VERSION_NEUTRAL }), UseFilters(OAuthErrorFilter));

const MAX_HEADER_BYTES = 32 * 1024;

/**
 * Opens one listener in front of `handler`.
 *
 * @param pathPrefix the path of the issuer ('' or '/tenant'): public routes live below it, and are stripped of it before
 *   they reach the router; well-known documents and health probes also answer at the root (RFC 8414 §3.1).
 */
export function openListener(name: ListenerName, handler: RequestListener, pathPrefix = ''): Server {
  return createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (req, res) => {
    const url = req.url ?? '/';
    (req as Marked)[LISTENER] = name;
    if (pathPrefix !== '') req.url = belowPrefix(url, pathPrefix);
    handler(req, res);
  });
}

const AT_THE_ROOT = /^\/(\.well-known\/|livez$|ready$|health$)/;

function belowPrefix(url: string, prefix: string): string {
  if (url === prefix || url.startsWith(`${prefix}/`) || url.startsWith(`${prefix}?`)) {
    const rest = url.slice(prefix.length);
    return rest.startsWith('/') ? rest : `/${rest}`;
  }
  return AT_THE_ROOT.test(url) ? url : '/.outside-the-issuer';
}

/** Stops accepting, lets answers in flight finish, and closes idle keep-alive connections so that nobody waits for them. */
export async function closeListeners(servers: readonly Server[], graceSeconds: number): Promise<void> {
  const idle = setInterval(() => servers.forEach((server) => server.closeIdleConnections()), 50);
  const force = setTimeout(() => servers.forEach((server) => server.closeAllConnections()), graceSeconds * 1000);
  await Promise.all(servers.map((server) => new Promise((closed) => server.close(closed))));
  clearInterval(idle);
  clearTimeout(force);
}
