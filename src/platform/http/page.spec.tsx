/** @jsxImportSource preact */
import { createHash } from 'node:crypto';
import type { Response } from 'express';
import { describe, expect, it } from 'vitest';
import { loadConfig } from '../../config/load-config.js';
import { ErrorPage, inWords } from './error.page.js';
import { Button, Field, Notice, PostForm } from './page-elements.js';
import { pageStyle } from './page-style.js';
import { Pages, renderPage, type Page } from './page.js';

interface Answer {
  status: number;
  headers: Record<string, string>;
  /** Without its style. */
  html: string;
  style: string;
  location?: string;
}

/** Only what a page uses of a response. */
function recorder(): { res: Response; answer: Answer } {
  const answer: Answer = { status: 200, headers: {}, html: '', style: '' };
  const res = {
    status: (code: number) => Object.assign(answer, { status: code }) && res,
    set: (headers: Record<string, string>) => Object.assign(answer.headers, headers) && res,
    send: (document: string) => {
      const style = /<style>(.*?)<\/style>/s.exec(document)?.[1] ?? '';
      return Object.assign(answer, { style, html: document.replace(style, '') }) && res;
    },
    redirect: (status: number, location: string) => Object.assign(answer, { status, location }) && res,
  };
  return { res: res as unknown as Response, answer };
}

function pagesOf(env: Record<string, string> = {}): Pages {
  return new Pages(loadConfig({ env, cwd: '/nowhere' }));
}

const https = {
  AUTHPLANE_SERVER_ISSUER: 'https://auth.example.com',
  AUTHPLANE_SESSION_SECRET: 'qN7mZ2xK9vR4tB8wL5cJ1hG6fD3sA0pY',
  AUTHPLANE_ADMIN_API_KEY: 'Zt6rW1qX8nB3kM5vC9jL2hG7',
};

const hello: Page = { title: 'Hello', body: <p>Hello</p> };

function sent(page: Page, env?: Record<string, string>): Answer {
  const { res, answer } = recorder();
  pagesOf(env).send(res, page);
  return answer;
}

describe('a page', () => {
  it('lets nothing in but its own style, and nobody frame it', () => {
    const { headers, style } = sent(hello);
    const hash = createHash('sha256').update(style).digest('base64');
    expect(headers['Content-Security-Policy']).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'; frame-ancestors 'none'`,
    );
    expect(headers).toMatchObject({
      'X-Frame-Options': 'DENY',
      'Referrer-Policy': 'no-referrer',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
      'Cross-Origin-Opener-Policy': 'same-origin',
    });
  });

  it('does not limit where a form may lead, since a consent ends at the application', () => {
    expect(sent(hello).headers['Content-Security-Policy']).not.toContain('form-action');
  });

  it('asks for https from then on, on https only', () => {
    expect(sent(hello).headers['Strict-Transport-Security']).toBeUndefined();
    expect(sent(hello, https).headers['Strict-Transport-Security']).toBe('max-age=31536000');
  });

  it('has a language, a viewport, both colour schemes, a title and one main landmark', () => {
    const { html } = sent(hello);
    expect(html).toMatch(/^<!doctype html><html lang="en">/);
    expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1"/>');
    expect(html).toContain('<meta name="color-scheme" content="light dark"/>');
    expect(html).toContain('<title>Hello · AuthPlane</title>');
    expect(html.match(/<main>/g)).toHaveLength(1);
    expect(html).not.toMatch(/<script|javascript:|\son\w+=/i);
  });

  it('loads the logo of the operator from its origin only, or from this server', () => {
    const remote = sent(hello, { AUTHPLANE_PAGES_LOGO_URL: 'https://cdn.example.com/a/logo.svg' });
    expect(remote.headers['Content-Security-Policy']).toContain('img-src https://cdn.example.com;');
    expect(remote.html).toContain('<img src="https://cdn.example.com/a/logo.svg" alt/>');
    expect(sent(hello, { AUTHPLANE_PAGES_LOGO_URL: '/logo.svg' }).headers['Content-Security-Policy']).toContain(
      "img-src 'self';",
    );
  });

  it('escapes what others named', () => {
    const evil = `"'><script>alert(1)</script>`;
    const page = {
      title: evil,
      body: (
        <PostForm action={evil} hidden={{ [`csrf`]: evil }}>
          {evil}
        </PostForm>
      ),
    };
    const { html } = sent(page, { AUTHPLANE_PAGES_NAME: evil });
    expect(html).not.toContain('<script>');
    expect(html).toContain(`<form method="post" action="&quot;'>&lt;script>alert(1)&lt;/script>">`);
    expect(html).toContain(`name="csrf" value="&quot;'>&lt;script>`);
  });

  it('sends the status it was given', () => {
    const { res, answer } = recorder();
    renderPage(res, { ...hello, brand: { name: 'A' }, https: false, status: 422 });
    expect(answer.status).toBe(422);
  });
});

describe('Pages', () => {
  it('knows the path of the issuer', () => {
    const pages = pagesOf({ ...https, AUTHPLANE_SERVER_ISSUER: 'https://example.com/tenant' });
    expect(pages.href('/login')).toBe('/tenant/login');
    expect(pagesOf().href('/login')).toBe('/login');
  });

  it('encodes parameters and leaves out those without a value', () => {
    expect(pagesOf().href('/consent', { request: 'a&b=c d', nothing: undefined })).toBe('/consent?request=a%26b%3Dc+d');
  });

  it('redirects by 303, which never repeats a posted password', () => {
    const { res, answer } = recorder();
    pagesOf().seeOther(res, '/account', { done: 'ended' });
    expect(answer).toMatchObject({
      status: 303,
      location: '/account?done=ended',
      headers: { 'Cache-Control': 'no-store' },
    });
  });
});

describe('the style', () => {
  const pairs = [
    ['text', 'page'],
    ['text', 'card'],
    ['text', 'sunk'],
    ['quiet', 'page'],
    ['quiet', 'card'],
    ['quiet', 'sunk'],
    ['bad', 'bad-soft'],
    ['care', 'care-soft'],
    ['good', 'good-soft'],
  ] as const;

  it.each(['light', 'dark'])(
    'reads well in %s: every text colour has a contrast of 4.5:1 (WCAG 2.2 §1.4.3)',
    (scheme) => {
      const colours = coloursOf(scheme);
      const tooFaint = pairs.filter(([text, ground]) => contrast(colours[text] ?? '', colours[ground] ?? '') < 4.5);
      expect(tooFaint).toEqual([]);
    },
  );

  it.each(['light', 'dark'])(
    'shows in %s where a field begins and what has the focus, by 3:1 (WCAG 2.2 §1.4.11)',
    (scheme) => {
      const colours = coloursOf(scheme);
      for (const line of ['edge', 'focus']) {
        expect(contrast(colours[line] ?? '', colours['card'] ?? '')).toBeGreaterThanOrEqual(3);
      }
    },
  );

  it.each(['#ffcc00', '#0b57d0', '#fff', '777777', '#000000'])('puts a readable text on the accent %s', (accent) => {
    const [, colour = '', onColour = ''] = /--accent:(#\w{6});--on-accent:(#\w{6})/.exec(pageStyle(accent)) ?? [];
    expect(contrast(colour, onColour)).toBeGreaterThanOrEqual(4.5);
  });

  it('takes nothing but a colour for the accent', () => {
    expect(pageStyle('red;}</style><script>')).toBe(pageStyle());
    expect(pageStyle('#12345')).toBe(pageStyle());
  });

  it('moves nothing for whoever asked for stillness', () => {
    const still = pageStyle().replace(/@media \(prefers-reduced-motion:no-preference\)\{.*?\}\}/, '');
    expect(still).not.toMatch(/transition|animation/);
  });
});

describe('elements', () => {
  const html = (body: Page['body']): string => sent({ title: 't', body }).html;

  it('ties a label, a hint and the error to a field', () => {
    const field = html(
      <Field label="Password" name="password" type="password" autocomplete="off" hint="Long" errorId="problem" />,
    );
    expect(field).toContain('<label for="password">Password</label>');
    expect(field).toMatch(/<input id="password" [^>]*aria-invalid="true" aria-describedby="problem password-hint"/);
    expect(field).toContain('id="password-hint"');
  });

  it('announces failures at once and successes politely', () => {
    expect(html(<Notice kind="bad">No</Notice>)).toContain('<div class="notice bad" role="alert">');
    expect(html(<Notice kind="good">Yes</Notice>)).toContain('<div class="notice good" role="status">');
    expect(html(<Notice kind="care">Mind</Notice>)).toContain('<div class="notice care">');
  });

  it('posts forms, and leaves out hidden fields without a value', () => {
    const form = html(
      <PostForm action="/x" hidden={{ csrf: 'c', request: undefined }}>
        <Button name="decision" value="deny">
          Deny
        </Button>
      </PostForm>,
    );
    expect(form).toContain(
      '<form method="post" action="/x"><input type="hidden" name="csrf" value="c"/>' +
        '<button type="submit" name="decision" value="deny">Deny</button></form>',
    );
  });
});

describe('the error page', () => {
  const html = (description: string, more = {}): string =>
    sent({ title: 't', body: <ErrorPage status={400} description={description} requestId="r-1" {...more} /> }).html;

  it('says what is wrong as a sentence, and leaves the names of parameters alone', () => {
    expect(html('this sign-in request has expired')).toContain('This sign-in request has expired.');
    expect(html('redirect_uri is not registered')).toContain('>redirect_uri is not registered.<');
  });

  it('shows the request id, where to read on, and how long to wait', () => {
    const page = html('try again', { errorUri: 'https://a.example/errors/x#y', retryAfterSeconds: 61 });
    expect(page).toContain('<code>r-1</code>');
    expect(page).toContain('<a href="https://a.example/errors/x#y">');
    expect(page).toContain('try again in 2 minutes');
  });

  it('counts time as people do', () => {
    expect([0, 1, 59, 60, 61, 900].map(inWords)).toEqual([
      '1 second',
      '1 second',
      '59 seconds',
      '1 minute',
      '2 minutes',
      '15 minutes',
    ]);
  });
});

function coloursOf(scheme: string): Record<string, string> {
  const style = pageStyle();
  const dark = /@media \(prefers-color-scheme:dark\)\{:root\{(.*?)\}\}/.exec(style)?.[1] ?? '';
  const light = style.replace(dark, '');
  return Object.fromEntries(
    [...(scheme === 'dark' ? dark : light).matchAll(/--([\w-]+):(#\w{6})/g)].map(([, name, value]) => [name, value]),
  );
}

/** WCAG 2.2, "contrast ratio". */
function contrast(one: string, other: string): number {
  const [low = 0, high = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

function luminance(colour: string): number {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
