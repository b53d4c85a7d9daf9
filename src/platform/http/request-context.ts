import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { NextFunction, Request, Response } from 'express';

/** What every log line, audit row and error body of one request shares. */
export interface RequestContext {
  /** Made here; a caller's `X-Request-Id` is never adopted (W50). */
  readonly requestId: string;
  /** The peer's address, or what a trusted proxy says it is (W23). */
  readonly ip: string;
  readonly userAgent: string;
}

const storage = new AsyncLocalStorage<RequestContext>();

/** The context of the request being answered; undefined in jobs and on the command line. */
export const requestContext = (): RequestContext | undefined => storage.getStore();

export function openRequestContext(req: Request, res: Response, next: NextFunction): void {
  const context: RequestContext = {
    requestId: randomUUID(),
    ip: req.ip ?? '',
    userAgent: (req.headers['user-agent'] ?? '').slice(0, 256),
  };
  res.setHeader('X-Request-Id', context.requestId);
  storage.run(context, next);
}
