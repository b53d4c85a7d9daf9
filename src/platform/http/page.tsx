import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import type { Response } from 'express';
import type { JSX } from 'preact';
import { renderToString } from 'preact-render-to-string';
import { Config } from '../../config/config.js';
import { pageStyle } from './page-style.js';

/** How the operator wants pages to look. */
export interface Brand {
  readonly name: string;
  /** An https URL, or a path on this server. */
  readonly logoUrl?: string;
  /** `#rgb` or `#rrggbb` */
  readonly color?: string;
}

export interface Page {
  /** Of the window; the brand's name is added. */
  readonly title: string;
  readonly body: JSX.Element;
  /** For lists and longer texts; forms are narrow. */
  readonly wide?: boolean;
}

export interface PageFrame {
  readonly brand: Brand;
  /** HSTS is for https alone. */
  readonly https: boolean;
}

/**
 * The pages of this server: one frame, one set of headers (W50), no script.
 *
 * `form-action` is left out of the policy on purpose: it would stop the redirect that follows a consent in some browsers.
 */
@Injectable()
export class Pages {
  readonly brand: Brand;
  readonly #frame: PageFrame;
  readonly #basePath: string;

  constructor(config: Config) {
    const issuer = new URL(config.server.issuer);
    this.brand = config.pages;
    this.#frame = { brand: this.brand, https: issuer.protocol === 'https:' };
    this.#basePath = issuer.pathname.replace(/\/$/, '');
  }

  send(res: Response, page: Page, status = 200): void {
    renderPage(res, { ...page, ...this.#frame, status });
  }

  /** A path of this server, below the issuer's own path; parameters without a value are left out. */
  href(path: `/${string}`, query: Readonly<Record<string, string | undefined>> = {}): string {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    const search = new URLSearchParams(given).toString();
    return `${this.#basePath}${path}${search === '' ? '' : `?${search}`}`;
  }

  /** 303, so that a posted password is never posted on (RFC 9700 §4.12). Only to our own pages. */
  seeOther(res: Response, path: `/${string}`, query?: Readonly<Record<string, string | undefined>>): void {
    res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    res.redirect(303, this.href(path, query));
  }

  /** 303 to another site, byte for byte. Whoever calls it has checked where that is. */
  leave(res: Response, url: string): void {
    res.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer', Location: url });
    res.status(303).end();
  }
}

/** Writes a whole HTML document with the headers of W50. */
export function renderPage(res: Response, options: Page & PageFrame & { status?: number }): void {
  const style = pageStyle(options.brand.color);
  res.status(options.status ?? 200).set({ 'Content-Type': 'text/html; charset=utf-8', ...headersOf(options, style) });
  res.send(`<!doctype html>${renderToString(<Document {...options} style={style} />)}`);
}

function headersOf({ brand, https }: PageFrame, style: string): Record<string, string> {
  const policy = [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
    ...(brand.logoUrl ? [`img-src ${URL.canParse(brand.logoUrl) ? new URL(brand.logoUrl).origin : "'self'"}`] : []),
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    'Content-Security-Policy': policy.join('; '),
    'X-Frame-Options': 'DENY',
    'Referrer-Policy': 'no-referrer',
    'X-Content-Type-Options': 'nosniff',
    'Cache-Control': 'no-store',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'Permissions-Policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
    ...(https ? { 'Strict-Transport-Security': 'max-age=31536000' } : {}),
  };
}

function Document({ title, body, wide, brand, style }: Page & PageFrame & { style: string }): JSX.Element {
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · ${brand.name}`}</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body class={wide ? 'wide' : undefined}>
        <header class="top">
          {brand.logoUrl ? (
            <img src={brand.logoUrl} alt="" />
          ) : (
            <span class="mark" aria-hidden="true">
              {[...brand.name][0]?.toUpperCase()}
            </span>
          )}
          <span>{brand.name}</span>
        </header>
        <main>{body}</main>
      </body>
    </html>
  );
}
