import { renderToString } from 'preact-render-to-string';
import { describe, expect, it } from 'vitest';
import { symptoms } from '#libs/oauth';
import { errorReference, type Entry } from './error-reference.js';
import { errorCodePage, errorIndexPage } from './error-reference.page.js';

const href = (path: string): string => `/tenant${path}`;
const entriesOf = (code: string): readonly Entry[] => errorReference.get(code) ?? [];
const page = (code: string, entries = entriesOf(code)): string =>
  renderToString(errorCodePage(code, entries, href).body);
const textOf = (html: string): string =>
  html
    .replace(/<[^>]*>/g, '')
    .replaceAll('&lt;', '<')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&');

describe('the error pages', () => {
  it('hold every symptom once, under its code, with its slug as anchor', () => {
    const shown = [...errorReference].flatMap(([code, entries]) => {
      const html = page(code);
      return entries.filter(({ slug }) => html.includes(`id="${slug}"`)).map(({ slug }) => slug);
    });
    expect(shown.toSorted()).toEqual(Object.keys(symptoms).toSorted());
  });

  it('show all causes and fixes of a symptom, and where the rule is written, but no private reason', () => {
    const missing = [...errorReference].flatMap(([code, entries]) => {
      const text = textOf(page(code));
      const said = (part: string): boolean => text.includes(part.replaceAll('`', ''));
      return entries.flatMap(({ slug, symptom }) => {
        const parts = Object.values(symptom.reasons).flatMap(({ cause, fix }) => [cause, fix]);
        return [symptom.see, ...parts].filter((part) => !said(part)).map((part) => `${slug}: ${part}`);
      });
    });
    expect(missing).toEqual([]);
    expect(page('invalid_client')).not.toContain('secret_mismatch');
  });

  it('show a blank of a description as such, and a command as code', () => {
    expect(page('invalid_scope')).toContain('scope <var>scope</var> is not declared by resource <var>resource</var>');
    expect(page('unauthorized_client')).toContain('<code>authserver admin client update');
  });

  it('show the status that the symptom has', () => {
    expect(textOf(page('invalid_client'))).toContain('HTTP 401');
    expect(textOf(page('invalid_request'))).toContain('HTTP 413');
  });

  it('are listed on the index, each symptom linked to its anchor', () => {
    const index = renderToString(errorIndexPage(errorReference, href).body);
    const links = [...errorReference].flatMap(([code, entries]) =>
      entries.map(({ slug }) => `href="/tenant/errors/${code}#${slug}"`),
    );
    expect(links.filter((link) => !index.includes(link))).toEqual([]);
  });
});
