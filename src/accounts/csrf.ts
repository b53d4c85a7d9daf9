import { createHmac } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request } from 'express';
import { OAuthError, sameBytes } from '#libs/oauth';
import { deriveKey } from '#libs/vault';
import { Config } from '../config/config.js';

/** The context of sign-out forms, on whichever page they stand. */
export const LOGOUT = 'logout';

/**
 * Tells our own forms from forms that other sites post.
 *
 * A token is an HMAC over what the form belongs to (`binding`: the flow cookie before sign-in, the session id after) and what
 * it is for (`context`). Nothing is stored; a token dies with its binding.
 */
@Injectable()
export class Csrf {
  readonly #key: Buffer;
  readonly #origin: string;

  constructor(config: Config) {
    this.#key = deriveKey(config.session.secret, 'csrf');
    this.#origin = new URL(config.server.issuer).origin;
  }

  token(binding: string, context: string): string {
    return this.#mac(binding, context).toString('base64url');
  }

  /**
   * @param given the token that the form carried
   * @throws OAuthError `form-not-ours`
   */
  require(req: Request, given: string | undefined, binding: string, context: string): void {
    this.requireOwnOrigin(req);
    if (!sameBytes(Buffer.from(given ?? '', 'base64url'), this.#mac(binding, context))) {
      throw new OAuthError('form-not-ours', 'csrf_mismatch');
    }
  }

  /**
   * Enough where no form of another site can make the request: a DELETE, which browsers send to us from our own pages only.
   *
   * @throws OAuthError `form-not-ours`
   */
  requireOwnOrigin(req: Request): void {
    if (this.#isOurs(req)) return;
    const facts = { origin: req.headers.origin, secFetchSite: req.headers['sec-fetch-site'] };
    throw new OAuthError('form-not-ours', 'cross_site_post', { facts });
  }

  /**
   * What the browser itself says about where the form stood, when it says anything.
   *
   * Our pages are sent with `Referrer-Policy: no-referrer`, and by Fetch §3.2 a browser then sends `Origin: null` even from
   * ourselves. That is believed only beside `Sec-Fetch-Site: same-origin`, which no page can set: a sandboxed frame or a
   * `data:` page has a null origin too, but is cross-site.
   */
  #isOurs(req: Request): boolean {
    const { origin, 'sec-fetch-site': site } = req.headers;
    const sameOrigin = site === 'same-origin';
    if (site !== undefined && !sameOrigin && site !== 'none') return false;
    return origin === undefined || origin === this.#origin || (origin === 'null' && sameOrigin);
  }

  /** JSON keeps the parts apart. */
  #mac(binding: string, context: string): Buffer {
    return createHmac('sha256', this.#key)
      .update(JSON.stringify([binding, context]))
      .digest();
  }
}
