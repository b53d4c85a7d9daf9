import { Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { listenerOf } from './listeners.js';

const log = new Logger('Http');

/** One line per answer. The path only: a query may carry codes and states. */
export function accessLog(req: Request, res: Response, next: NextFunction): void {
  const startedAt = process.hrtime.bigint();
  res.once('finish', () => {
    log.log({
      message: 'request',
      listener: listenerOf(req),
      method: req.method,
      path: req.path.slice(0, 200),
      status: res.statusCode,
      milliseconds: Number((process.hrtime.bigint() - startedAt) / 1000n) / 1000,
    });
  });
  next();
}
