import { Logger } from '@nestjs/common';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import { listenerOf } from './listeners.js';

/** Endpoints that browsers of any origin may call, never with credentials (W22). */
const OPEN_TO_ALL = /^\/(\.well-known\/|oauth\/(token|revoke|register)$|errors(\/|$))/;
const OPEN_HEADERS = {
  'Access-Control-Allow-Origin': '*',
  'Access-Control-Expose-Headers': 'DPoP-Nonce, WWW-Authenticate, X-Request-Id',
};
const OPEN_PREFLIGHT = {
  'Access-Control-Allow-Methods': 'GET, POST, OPTIONS',
  'Access-Control-Allow-Headers': 'Authorization, Content-Type, DPoP, MCP-Protocol-Version',
  'Access-Control-Max-Age': '600',
};

const log = new Logger('Cors');
const MAX_REMEMBERED_ORIGINS = 100;

/** @param adminOrigins exact origins that may call the operator's API from a browser (`server.allowed_origins`) */
export function cors(adminOrigins: readonly string[]): RequestHandler {
  const told = new Set<string>();

  function openToAll(req: Request, res: Response, next: NextFunction): void {
    if (!OPEN_TO_ALL.test(req.path)) return next();
    res.set(OPEN_HEADERS);
    if (req.method !== 'OPTIONS') return next();
    res.set(OPEN_PREFLIGHT).status(204).end();
  }

  function operatorsOnly(origin: string, req: Request, res: Response, next: NextFunction): void {
    res.vary('Origin');
    if (!adminOrigins.includes(origin)) {
      if (!told.has(origin) && told.size < MAX_REMEMBERED_ORIGINS) {
        told.add(origin);
        log.warn(`origin ${origin.slice(0, 200)} is not in server.allowed_origins (AUTHPLANE_SERVER_ALLOWED_ORIGINS)`);
      }
      return next();
    }
    res.set('Access-Control-Allow-Origin', origin);
    if (req.method !== 'OPTIONS') return next();
    res
      .set({
        'Access-Control-Allow-Methods': 'GET, POST, PUT, PATCH, DELETE, OPTIONS',
        'Access-Control-Allow-Headers': 'Authorization, Content-Type',
        'Access-Control-Max-Age': '600',
      })
      .status(204)
      .end();
  }

  return (req, res, next) => {
    if (listenerOf(req) === 'public') return openToAll(req, res, next);
    const origin = req.headers.origin;
    return origin === undefined ? next() : operatorsOnly(origin, req, res, next);
  };
}
