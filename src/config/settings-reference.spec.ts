import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderEnvExample, renderSettingsReference } from './settings-reference.js';

const root = join(import.meta.dirname, '../..');
const update = 'UPDATE_REFERENCE=1 npx vitest run src/config/settings-reference.spec.ts';

const generated = [
  { path: 'docs/reference/settings.md', render: renderSettingsReference },
  { path: '.env.example', render: renderEnvExample },
];

if (process.env.UPDATE_REFERENCE === '1') {
  mkdirSync(join(root, 'docs/reference'), { recursive: true });
  for (const { path, render } of generated) writeFileSync(join(root, path), render());
}

describe('settings reference', () => {
  it.each(generated)('$path is what the settings classes say', ({ path, render }) => {
    expect(readFileSync(join(root, path), 'utf8'), `out of date: ${update}`).toBe(render());
  });

  it('shows no value of a secret and names every variable once', () => {
    const names = renderEnvExample().match(/^#AUTHPLANE_[A-Z_]+/gm) ?? [];
    expect(new Set(names).size).toBe(names.length);
    expect(renderEnvExample()).toMatch(/^#AUTHPLANE_SESSION_SECRET=$/m);
  });
});
