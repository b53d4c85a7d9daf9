import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError, type Form } from '#libs/oauth';
import { deriveKey, open, seal, SealBroken } from '#libs/vault';
import { FlowCookie } from '../accounts/flow-cookie.js';
import { Config } from '../config/config.js';
import { Clock } from '../platform/clock/clock.js';
import { relevantParameters } from './authorization-request.js';

const LIFETIME_MS = 10 * 60 * 1000;
const CONTEXT = 'authorization-request';

export interface OpenedRequest {
  readonly parameters: Form;
  readonly madeAt: Date;
}

interface SealedContent {
  parameters: [string, string][];
  madeAt: string;
}

/**
 * An authorization request on its way through the pages: the parameters themselves, sealed for ten minutes and bound to the browser
 * that began the flow (W34). Nothing is stored, so that strangers cannot make rows, and no page takes a URL to go on to.
 */
@Injectable()
export class SealedRequests {
  readonly #key: Buffer;

  constructor(
    private readonly flowCookie: FlowCookie,
    private readonly clock: Clock,
    config: Config,
  ) {
    this.#key = deriveKey(config.session.secret, CONTEXT);
  }

  seal(req: Request, res: Response, form: Form): string {
    const flow = this.flowCookie.ensure(req, res);
    const content = { parameters: [...relevantParameters(form)], madeAt: this.clock.now().toISOString() };
    return seal(this.#key, JSON.stringify(content), `${CONTEXT}:${flow}`);
  }

  /** @throws OAuthError for a page: opened in another browser, or too late */
  open(req: Request, sealed: string): OpenedRequest {
    const flow = this.flowCookie.read(req);
    if (flow === undefined) throw new OAuthError('flow-of-another-browser', 'flow_cookie_mismatch');
    const content = this.#unseal(sealed, flow);
    const madeAt = new Date(content.madeAt);
    if (this.clock.now().getTime() - madeAt.getTime() > LIFETIME_MS)
      throw new OAuthError('request-expired', 'request_expired');
    return { parameters: new Map(content.parameters), madeAt };
  }

  #unseal(sealed: string, flow: string): SealedContent {
    try {
      return JSON.parse(open(this.#key, sealed, `${CONTEXT}:${flow}`).toString()) as SealedContent;
    } catch (error) {
      if (error instanceof SealBroken) throw new OAuthError('flow-of-another-browser', 'flow_cookie_mismatch');
      throw error;
    }
  }
}
