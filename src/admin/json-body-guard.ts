import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import { invalidRequest, Problem } from './problem.js';

/** Far more than any DTO nests. */
const maxDepth = 16;

/**
 * A body of another type would not be read, and a change that names nothing would look like one that was carried out; besides, what
 * is no JSON needs no preflight, so that any web page could send it. A body that nests without end would exhaust the stack of
 * whoever walks it.
 */
@Injectable()
export class JsonBodyGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const req = context.switchToHttp().getRequest<Request>();
    const hasBody = req.headers['transfer-encoding'] !== undefined || Number(req.headers['content-length'] ?? 0) > 0;
    if (hasBody && !req.is('application/json')) {
      throw new Problem(415, 'unsupported_media_type', 'the body must be application/json');
    }
    if (isDeep(req.body)) throw invalidRequest(`the body is nested deeper than ${maxDepth}`);
    return true;
  }
}

/** Level by level, without recursion. */
function isDeep(body: unknown): boolean {
  let level: unknown[] = [body];
  for (let depth = 0; depth <= maxDepth; depth++) {
    level = level.flatMap((value) => (typeof value === 'object' && value !== null ? Object.values(value) : []));
    if (level.length === 0) return false;
  }
  return true;
}
