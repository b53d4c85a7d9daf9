import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuditLog } from '../audit/audit-log.js';
import { recordRefusal } from '../audit/audit-refusals.js';
import { Config } from '../config/config.js';
import { readForm } from '../platform/http/body.js';
import { knownError } from '../platform/http/known-error.js';
import type { LeanEndpoint } from '../platform/http/lean.js';
import { writeOAuthError } from '../platform/http/oauth-error-filter.js';
import { refusedAction, TokenEndpoint } from './token-endpoint.js';

/** What `TokenController` does, without decorators: what is refused is recorded, and leaves as the same body. */
@Injectable()
export class LeanTokenEndpoint implements LeanEndpoint {
  readonly route = 'POST /oauth/token';

  constructor(
    private readonly endpoint: TokenEndpoint,
    private readonly audit: AuditLog,
    private readonly config: Config,
  ) {}

  async respond(req: Request, res: Response): Promise<void> {
    res.setHeader('Cache-Control', 'no-store');
    res.setHeader('Pragma', 'no-cache');
    try {
      const json = JSON.stringify(await this.endpoint.answer(req, readForm(req)));
      const length = Buffer.byteLength(json);
      res.writeHead(200, { 'Content-Type': 'application/json; charset=utf-8', 'Content-Length': length }).end(json);
    } catch (error) {
      await recordRefusal(this.audit, req, refusedAction(req), error);
      writeOAuthError(res, knownError(error), this.config.server.issuer);
    }
  }
}
