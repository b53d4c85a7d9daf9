import { Injectable } from '@nestjs/common';
import { parseCookie, stringifySetCookie } from 'cookie';
import type { Request, Response } from 'express';
import { Config } from '../config/config.js';

/**
 * The names and attributes of our cookies (W29): `__Host-<stem>` on https, so that no neighbouring host can plant one;
 * `<stem>_<port>` on http, since cookies ignore ports and a developer's machine runs many servers.
 */
@Injectable()
export class Cookies {
  readonly #https: boolean;
  readonly #port: string;

  constructor(config: Config) {
    const issuer = new URL(config.server.issuer);
    this.#https = issuer.protocol === 'https:';
    this.#port = issuer.port || '80';
  }

  read(req: Request, stem: string): string | undefined {
    return parseCookie(req.headers.cookie ?? '')[this.nameOf(stem)] || undefined;
  }

  /** @param maxAgeSeconds none: until the browser is closed */
  write(res: Response, stem: string, value: string, maxAgeSeconds?: number): void {
    const cookie = stringifySetCookie({
      name: this.nameOf(stem),
      value,
      maxAge: maxAgeSeconds,
      path: '/',
      httpOnly: true,
      sameSite: 'lax',
      secure: this.#https,
    });
    res.append('Set-Cookie', cookie);
  }

  clear(res: Response, stem: string): void {
    this.write(res, stem, '', 0);
  }

  nameOf(stem: string): string {
    return this.#https ? `__Host-${stem}` : `${stem}_${this.#port}`;
  }
}
