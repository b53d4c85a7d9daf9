import { Injectable } from '@nestjs/common';
import type { RequestHandler } from 'express';
import { OAuthError } from '#libs/oauth';
import { Config } from '../../config/config.js';
import { Limits, type Limit } from '../ephemeral/limits.js';
import { addressKey } from './address-key.js';
import { listenerOf } from './listeners.js';
import { requestContext } from './request-context.js';

/** Endpoints that count a request for its client once they know it, so that one client's load does not stop its neighbours. */
const COUNTED_PER_CLIENT = /^\/oauth\/(token|revoke|introspect)\/?$/;
const NEVER_COUNTED = /^\/(livez|ready|health)$/;

/** How much one client at one address, or one address without a client, may ask for (W23). */
@Injectable()
export class Throughput {
  readonly #limit: Limit | undefined;

  constructor(
    private readonly limits: Limits,
    config: Config,
  ) {
    const { enabled, requestsPerSecond, burst } = config.rateLimit;
    // A full burst again after this long makes `requestsPerSecond` on average.
    const windowSeconds = Math.max(1, Math.ceil(burst / requestsPerSecond));
    this.#limit = enabled ? { name: 'throughput', points: burst, windowSeconds } : undefined;
  }

  /**
   * @param clientId of a client that exists: an id is the sender's choice, and must not open a new budget
   * @throws OAuthError `slow_down`
   */
  async admit(clientId?: string): Promise<void> {
    if (!this.#limit) return;
    const address = addressKey(requestContext()?.ip ?? '');
    const { allowed, retryAfterSeconds } = await this.limits.take(
      this.#limit,
      clientId ? `${clientId} ${address}` : address,
    );
    if (allowed) return;
    throw new OAuthError('too-many-requests', 'rate_limited', {
      headers: { 'Retry-After': String(retryAfterSeconds) },
      facts: clientId ? { clientId } : {},
    });
  }

  /** The door of the public listener. */
  readonly door: RequestHandler = (req, _res, next) => {
    if (listenerOf(req) !== 'public' || COUNTED_PER_CLIENT.test(req.path) || NEVER_COUNTED.test(req.path))
      return next();
    this.admit().then(() => next(), next);
  };
}
