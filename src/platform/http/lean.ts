import type { RequestListener } from 'node:http';
import type { Express, Request, RequestHandler, Response } from 'express';
import { knownError } from './known-error.js';
import { writeOAuthError } from './oauth-error-filter.js';

/** One route of the public listener, in the one spelling that everybody uses. Nest knows it as well, for all the others. */
export interface LeanEndpoint {
  /** Method and path: `POST /oauth/token`. */
  readonly route: string;
  /** Answers whatever happens; a failure too. */
  respond(req: Request, res: Response): Promise<void>;
}

/**
 * Takes requests for these endpoints past the routers of Express and Nest, which cost more than the endpoints do (P12). They go through
 * the same doors in the same order; everything else is `express`'s.
 *
 * @param doors what stands in front of every controller
 */
export function inFrontOf(
  express: Express,
  doors: readonly RequestHandler[],
  endpoints: readonly LeanEndpoint[],
  issuer: string,
): RequestListener {
  const byRoute = new Map(endpoints.map((endpoint) => [endpoint.route, endpoint]));
  return (incoming, outgoing) => {
    const endpoint = byRoute.get(`${incoming.method} ${incoming.url}`);
    if (!endpoint) return void express(incoming, outgoing);
    const [req, res] = asExpress(express, incoming, outgoing);
    req.route = { path: incoming.url };
    const fail = (error: unknown): void => writeOAuthError(res, knownError(error), issuer);
    passThrough(doors, req, res, (error) => {
      if (error === undefined) endpoint.respond(req, res).catch(fail);
      else fail(error);
    });
  };
}

/** With what doors and filters use of Express: `req.ip` behind trusted proxies, `res.set`, `res.json`. */
function asExpress(express: Express, ...[incoming, outgoing]: Parameters<RequestListener>): [Request, Response] {
  const req = Object.setPrototypeOf(incoming, express.request) as Request;
  const res = Object.setPrototypeOf(outgoing, express.response) as Response;
  req.res = res;
  req.originalUrl = req.url;
  return [req, res];
}

function passThrough(
  doors: readonly RequestHandler[],
  req: Request,
  res: Response,
  then: (error?: unknown) => void,
): void {
  let at = 0;
  const next = (error?: unknown): void => {
    const door = error === undefined ? doors[at++] : undefined;
    if (!door) return then(error);
    try {
      void door(req, res, next);
    } catch (thrown) {
      then(thrown);
    }
  };
  next();
}
