import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request, Response } from 'express';
import { AuditLog } from '../audit/audit-log.js';
import { Config } from '../config/config.js';
import { Limits, type Limit } from '../platform/ephemeral/limits.js';
import { addressKey } from '../platform/http/address-key.js';
import { requestContext } from '../platform/http/request-context.js';
import { Problem } from './problem.js';

/** Of wrong keys only: they write at most this many audit rows per minute and address, and lock no operator out beside them. */
const failedKeys: Limit = { name: 'admin-key-failed', points: 20, windowSeconds: 60, blockSeconds: 60 };

/** `Authorization: Bearer <admin.api_key>` on every route of the operator's API (RFC 6750 §2.1; never in the query or the body). */
@Injectable()
export class ApiKeyGuard implements CanActivate {
  readonly #digest: Buffer | undefined;

  constructor(
    config: Config,
    private readonly limits: Limits,
    private readonly audit: AuditLog,
  ) {
    // Without a key nothing is ever allowed: the digest of '' is nobody's.
    this.#digest = config.admin.apiKey === '' ? undefined : digestOf(config.admin.apiKey);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const http = context.switchToHttp();
    const presented = bearerOf(http.getRequest<Request>());
    if (presented === undefined) throw this.#unauthorized(http.getResponse<Response>(), 'an admin API key is required');
    if (this.#isKey(presented)) return true;
    await this.#count(http.getResponse<Response>());
    await this.audit.refused({ action: 'admin.auth_failed', reason: 'key_mismatch' });
    throw this.#unauthorized(http.getResponse<Response>(), 'the admin API key is wrong');
  }

  async #count(res: Response): Promise<void> {
    const address = addressKey(requestContext()?.ip ?? '');
    const { allowed, retryAfterSeconds } = await this.limits.take(failedKeys, address);
    if (allowed) return;
    res.setHeader('Retry-After', String(retryAfterSeconds));
    throw new Problem(429, 'slow_down', 'this address sent too many wrong admin API keys');
  }

  /** Compares digests: equal in length whatever was sent, so that the time tells nothing. */
  #isKey(presented: string): boolean {
    return this.#digest !== undefined && timingSafeEqual(digestOf(presented), this.#digest);
  }

  #unauthorized(res: Response, detail: string): Problem {
    res.setHeader('WWW-Authenticate', 'Bearer realm="authserver admin"');
    return new Problem(401, 'invalid_admin_key', `${detail}: Authorization: Bearer <admin.api_key>`);
  }
}

const digestOf = (key: string): Buffer => createHash('sha256').update(key).digest();

function bearerOf(req: Request): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(req.headers.authorization ?? '')?.[1];
}
