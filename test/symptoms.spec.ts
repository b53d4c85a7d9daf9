import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { symptoms } from '#libs/oauth';

const root = join(import.meta.dirname, '..');
const sources = ['src', 'libs']
  .flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((file) => join(root, folder, file)),
  )
  .filter((file) => /(?<!\.spec)\.tsx?$/.test(file) && !file.endsWith('symptoms.ts'))
  .map((file) => readFileSync(file, 'utf8'))
  .join('\n');

describe('the catalogue of errors', () => {
  it('declares no symptom and no reason that nothing gives', () => {
    const declared = Object.entries(symptoms).flatMap(([slug, { reasons }]) => [slug, ...Object.keys(reasons)]);
    expect(declared.filter((word) => !sources.includes(`'${word}'`))).toEqual([]);
  });

  it('says of every reason what happened, in characters that an answer may hold', () => {
    for (const [slug, { description, reasons }] of Object.entries(symptoms)) {
      expect(description, slug).toMatch(/^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/);
      for (const [reason, { cause }] of Object.entries<{ cause: string }>(reasons)) expect(cause, reason).not.toBe('');
    }
  });
});
