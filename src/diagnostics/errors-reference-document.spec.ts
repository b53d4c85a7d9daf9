import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { symptoms, type Symptom } from '#libs/oauth';
import { renderErrorsReference } from './errors-reference-document.js';

const path = join(import.meta.dirname, '../../docs/reference/errors.md');
const update = 'UPDATE_REFERENCE=1 npx vitest run src/diagnostics/errors-reference-document.spec.ts';

if (process.env.UPDATE_REFERENCE === '1') {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, renderErrorsReference());
}

describe('the errors reference', () => {
  it('is what the table of symptoms says', () => {
    expect(readFileSync(path, 'utf8'), `out of date: ${update}`).toBe(renderErrorsReference());
  });

  it('has every symptom once, under the anchor that error_uri names, with all its reasons', () => {
    const reference = renderErrorsReference();
    const sections = reference.split('<a id="').slice(1);
    expect(sections.map((section) => section.slice(0, section.indexOf('"'))).toSorted()).toEqual(
      Object.keys(symptoms).toSorted(),
    );
    const missing = Object.entries<Symptom>(symptoms).flatMap(([slug, { reasons }]) => {
      const section = sections.find((candidate) => candidate.startsWith(`${slug}"`)) ?? '';
      return Object.keys(reasons).filter((reason) => !section.includes(`| \`${reason}\` |`));
    });
    expect(missing).toEqual([]);
  });
});
