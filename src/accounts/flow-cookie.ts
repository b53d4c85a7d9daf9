import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Request, Response } from 'express';
import { OAuthError } from '#libs/oauth';
import { Cookies } from './cookies.js';

const STEM = 'authserver_flow';
const VALUE = /^[A-Za-z0-9_-]{43}$/;

/**
 * A random value of this browser, from before anybody signed in: what was begun here can be told from what was begun elsewhere
 * (W34), and a sign-in form from one that another site filled in.
 */
@Injectable()
export class FlowCookie {
  constructor(private readonly cookies: Cookies) {}

  /** The value of this browser; a new one if it has none. */
  ensure(req: Request, res: Response): string {
    const known = this.read(req);
    if (known !== undefined) return known;
    const value = randomBytes(32).toString('base64url');
    this.cookies.write(res, STEM, value);
    return value;
  }

  read(req: Request): string | undefined {
    const value = this.cookies.read(req, STEM);
    return value !== undefined && VALUE.test(value) ? value : undefined;
  }

  /** @throws OAuthError `flow-of-another-browser` */
  require(req: Request): string {
    const value = this.read(req);
    if (value === undefined) throw new OAuthError('flow-of-another-browser', 'flow_cookie_mismatch');
    return value;
  }
}
