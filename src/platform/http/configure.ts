import { VersioningType } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { json, type RequestHandler } from 'express';
import { OAuthError } from '#libs/oauth';
import type { Config } from '../../config/config.js';
import { accessLog } from './access-log.js';
import { collectBody, keepRawBody } from './body.js';
import { cors } from './cors.js';
import { hostCheck } from './host-check.js';
import { listenerOf } from './listeners.js';
import { observe } from './observation.js';
import { openRequestContext } from './request-context.js';
import { Throughput } from './throughput.js';

const ADMIN_BODY_LIMIT = '1mb';
const MAX_URL_LENGTH = 16 * 1024;

/**
 * Everything that stands in front of the controllers, in the order in which a request meets it. Before `app.init()`.
 *
 * @returns the same doors, for what is answered without a controller
 */
export function configureHttp(app: NestExpressApplication, config: Config): readonly RequestHandler[] {
  const { trustedProxies } = config.server;
  app.set('trust proxy', trustedProxies.length > 0 ? [...trustedProxies] : false);
  app.disable('x-powered-by').set('etag', false).set('query parser', false);
  app.enableVersioning({ type: VersioningType.CUSTOM, defaultVersion: 'public', extractor: listenerOf });
  const doors = [
    openRequestContext,
    observe,
    accessLog,
    baselineHeaders,
    boundedUrl,
    plainPath,
    hostCheck({ isLocal: config.isLocal, allowedHosts: boundHosts(config) }),
    cors(config.server.allowedOrigins),
    app.get(Throughput).door,
    byListener({ public: collectBody, admin: json({ limit: ADMIN_BODY_LIMIT, verify: keepRawBody }) }),
  ];
  app.use(...doors);
  return doors;
}

const baselineHeaders: RequestHandler = (_req, res, next) => {
  res.set({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer' });
  next();
};

const boundedUrl: RequestHandler = (req, _res, next) =>
  next(req.originalUrl.length > MAX_URL_LENGTH ? new OAuthError('url-too-long', 'url_too_long') : undefined);

/** U+0000 is in no name of ours, and PostgreSQL takes it in none: a path that spells it names nothing. */
const plainPath: RequestHandler = (req, _res, next) =>
  next(req.path.includes('%00') ? new OAuthError('not-found', 'not_found') : undefined);

const byListener =
  (handlers: { public: RequestHandler; admin: RequestHandler }): RequestHandler =>
  (req, res, next) =>
    handlers[listenerOf(req)](req, res, next);

function boundHosts(config: Config): string[] {
  const hostOf = (address: string): string => address.replace(/:\d+$/, '');
  // As a Host header has it: IPv6 in brackets, letters small.
  const spelled = config.admin.allowedHosts.map((host) => (host.includes(':') ? `[${host}]` : host).toLowerCase());
  return [hostOf(config.server.address), hostOf(config.admin.address), ...spelled].filter(Boolean);
}
