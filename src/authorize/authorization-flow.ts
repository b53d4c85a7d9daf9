import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { knownError } from '../platform/http/known-error.js';
import { errorRedirect, successRedirect } from './authorization-response.js';
import type { AuthorizationRequest, ReturnAddress } from './authorization-request.js';
import { RequestReader } from './request-reader.js';
import { SealedRequests, type OpenedRequest } from './sealed-request.js';

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
  ) {}

  /** Checks a new request; what the client did wrong goes back to it. @returns the sealed request, if there is one to go on with */
  async begin(
    req: Request,
    res: Response,
    form: Form,
  ): Promise<{ sealed: string; request: AuthorizationRequest } | undefined> {
    const to = await this.reader.returnAddress(form);
    try {
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
   * @param decide gives the code, or undefined when it wrote a page; asked again when policies changed under it (S6)
   */
  async answer(
    res: Response,
    { parameters }: OpenedRequest,
    decide: (request: AuthorizationRequest) => Promise<string | undefined>,
  ): Promise<void> {
    const to = await this.reader.returnAddress(parameters);
    try {
      const code = await this.#decided(parameters, to, decide);
      if (code !== undefined) this.#redirect(res, successRedirect(to, code, this.config.server.issuer));
    } catch (error) {
      await this.#refuse(res, to, error);
    }
  }

  async #decided(
    parameters: Form,
    to: ReturnAddress,
    decide: (request: AuthorizationRequest) => Promise<string | undefined>,
  ): Promise<string | undefined> {
    try {
      return await decide(await this.reader.read(parameters, to));
    } catch (error) {
      if (!(error instanceof OAuthError) || error.reason !== 'stale_twice') throw error;
      const again = await this.reader.returnAddress(parameters);
      return decide(await this.reader.read(parameters, again));
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
