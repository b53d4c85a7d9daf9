import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, parseForm, type Form } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { authFlowDuration } from '../platform/telemetry/protocol-metrics.js';
import { knownError } from '../platform/http/known-error.js';
import { errorRedirect, successRedirect } from './authorization-response.js';
import { addressParameters, type AuthorizationRequest, type ReturnAddress } from './authorization-request.js';
import { RequestReader } from './request-reader.js';
import { SealedRequests, type OpenedRequest } from './sealed-request.js';

/** Gives the code, or undefined when it wrote a page. */
type Decide = (request: AuthorizationRequest) => Promise<string | undefined>;

/**
 * Leads one authorization request from the client through the pages and back. It is read anew at every step: what was in order when
 * the person began need not be when they press Allow.
 */
@Injectable()
export class AuthorizationFlow {
  constructor(
    private readonly reader: RequestReader,
    private readonly sealed: SealedRequests,
    private readonly audit: AuditLog,
    private readonly config: Config,
    private readonly clock: Clock,
  ) {}

  /**
   * Checks a new request; what the client did wrong goes back to it.
   *
   * @param query as it was sent
   * @returns the sealed request, if there is one to go on with
   */
  async begin(
    req: Request,
    res: Response,
    query: string,
  ): Promise<{ sealed: string; request: AuthorizationRequest } | undefined> {
    const to = await this.reader.returnAddress(addressParameters(query));
    try {
      const form = parseForm(query);
      const request = await this.reader.read(form, to);
      return { sealed: this.sealed.seal(req, res, form), request };
    } catch (error) {
      await this.#refuse(res, to, error);
      return undefined;
    }
  }

  /** @throws OAuthError for a page: opened in another browser, or too late */
  open(req: Request, sealed: string): OpenedRequest {
    return this.sealed.open(req, sealed);
  }

  /**
   * Lets `decide` answer the request, and sends what comes of it to the client.
   *
   * @param decide is asked again when policies changed under it (S6)
   */
  async answer(res: Response, { parameters, madeAt }: OpenedRequest, decide: Decide): Promise<void> {
    try {
      await this.#attempt(res, parameters, decide);
    } catch (error) {
      if (!(error instanceof OAuthError) || error.reason !== 'stale_twice') throw error;
      await this.#attempt(res, parameters, decide);
    }
    // Without a redirect a page was shown, and the flow goes on.
    if (res.hasHeader('Location')) authFlowDuration.observe((this.clock.now().getTime() - madeAt.getTime()) / 1000);
  }

  /** The return address is as fresh as the rest: a client that was suspended meanwhile gets no redirect. */
  async #attempt(res: Response, parameters: Form, decide: Decide): Promise<void> {
    const to = await this.reader.returnAddress(parameters);
    try {
      const code = await decide(await this.reader.read(parameters, to));
      if (code !== undefined) this.#redirect(res, successRedirect(to, code, this.config.server.issuer));
    } catch (error) {
      await this.#refuse(res, to, error);
    }
  }

  /** The client hears of what it did wrong, and of a No; our own trouble stays here, as a page. */
  async #refuse(res: Response, to: ReturnAddress, thrown: unknown): Promise<void> {
    const error = knownError(thrown);
    if (error.status >= 500) throw error;
    if (error.reason !== 'user_denied') {
      const { clientId: _, ...detail } = error.facts;
      await this.audit.refused({ action: 'authorize.denied', reason: error.reason, clientId: to.client.id, detail });
    }
    this.#redirect(res, errorRedirect(to, error, this.config.server.issuer));
  }

  #redirect(res: Response, location: string): void {
    res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    res.redirect(303, location);
  }
}
